#include <escapement/io/tcp.h>

#include <netinet/tcp.h>

#include <cerrno>
#include <deque>

#include <escapement/io/posix.h>
#include <escapement/timers/entry.h>

namespace escapement {

namespace {

constexpr int immediate_operations_max = 32;

// A socket that the backend watches. Unwatched before it is closed.
class Socket {
 public:
  Socket(FdBackend& backend, posix::Fd fd) : backend_(backend), fd_(std::move(fd)) { watch_.fd = fd_.get(); }
  Socket(const Socket&) = delete;
  ~Socket() {
    if (watched_) backend_.unwatch(watch_);
  }

  Result<> watch() {
    Result<> watched = backend_.watch(watch_);
    watched_ = static_cast<bool>(watched);
    return watched;
  }
  int fd() const { return fd_.get(); }
  detail::FdReadiness readable() { return detail::until_readable(backend_, watch_); }
  detail::FdReadiness writable() { return detail::until_writable(backend_, watch_); }

 private:
  FdBackend& backend_;
  posix::Fd fd_;
  FdWatch watch_;
  bool watched_ = false;
};

void set_flag(int fd, int level, int name) {
  const int on = 1;
  ::setsockopt(fd, level, name, &on, sizeof on);  // a failure costs speed, not correctness
}

class TcpStream final : public Stream {
 public:
  TcpStream(std::unique_ptr<Socket> socket, SocketAddress peer) : socket_(std::move(socket)), peer_(peer) {}

  Task<std::size_t> read(MutableBytes into) override {
    ESC_CHECK(!into.empty());
    if (++immediate_ > immediate_operations_max) {
      immediate_ = 0;
      co_await yield();
    }
    for (;;) {
      const ssize_t count = ::recv(socket_->fd(), into.data(), into.size(), 0);
      if (count >= 0) co_return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return broken("read from ");
      immediate_ = 0;
      co_await socket_->readable();
    }
  }

  Task<> write(Bytes bytes) override {
    if (++immediate_ > immediate_operations_max) {
      immediate_ = 0;
      co_await yield();
    }
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_->fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_await broken("write to ");
      immediate_ = 0;
      co_await socket_->writable();
    }
  }

  Task<> shutdown_write() override {
    if (::shutdown(socket_->fd(), SHUT_WR) != 0) co_await broken("half-close to ");
  }

  bool readable_or_closed() override {
    char byte = 0;
    const ssize_t count = ::recv(socket_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count >= 0 || (errno != EAGAIN && errno != EINTR);
  }

  void reset_on_close() override {
    const linger at_once{1, 0};
    ::setsockopt(socket_->fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  std::string peer() const override { return peer_.text(); }

 private:
  Error broken(std::string_view what) const {
    const int number = errno;
    return Error::from_errno(number, std::string(what) + peer_.text(), Errc::reset);
  }

  std::unique_ptr<Socket> socket_;
  SocketAddress peer_;
  int immediate_ = 0;  // operations since the last one that waited
};

class TcpListener final : public Listener {
 public:
  TcpListener(FdBackend& backend, std::unique_ptr<Socket> socket, SocketAddress address)
      : backend_(backend), socket_(std::move(socket)), address_(address) {}

  Task<std::unique_ptr<Stream>> accept() override {
    if (++immediate_ > immediate_operations_max) {
      immediate_ = 0;
      co_await yield();
    }
    for (;;) {
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      posix::Fd fd(::accept4(socket_->fd(), reinterpret_cast<sockaddr*>(&peer), &length,
                             SOCK_NONBLOCK | SOCK_CLOEXEC));
      const int number = errno;
      if (!fd && number == EAGAIN) {
        immediate_ = 0;
        co_await socket_->readable();
        continue;
      }
      if (!fd && out_of_resources(number)) co_return Error::from_errno(number, "accept", Errc::overloaded);
      if (!fd) continue;  // this connection broke before it was accepted: the next one
      auto socket = std::make_unique<Socket>(backend_, std::move(fd));
      Result<> watched = socket->watch();
      if (!watched) co_return std::move(watched).error();
      co_return std::make_unique<TcpStream>(std::move(socket),
                                            SocketAddress(reinterpret_cast<sockaddr*>(&peer), length));
    }
  }

  std::uint16_t port() const override { return address_.port(); }
  std::string address() const override { return address_.text(); }

 private:
  static bool out_of_resources(int number) {
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM || number == EPERM;
  }

  FdBackend& backend_;
  std::unique_ptr<Socket> socket_;
  SocketAddress address_;
  int immediate_ = 0;
};

Task<std::unique_ptr<Stream>> connect_to(FdBackend& backend, SocketAddress address) {
  const std::string what = "connect to " + address.text();
  posix::Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return Error::from_errno(errno, what).nothing_sent();
  set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  auto socket = std::make_unique<Socket>(backend, std::move(fd));
  Result<> watched = socket->watch();
  if (!watched) co_return std::move(watched).error().nothing_sent();
  int number = ::connect(socket->fd(), address.data(), address.size()) == 0 ? 0 : errno;
  if (number == EINPROGRESS || number == EINTR) {
    // Woken before it is decided? Then it is not writable yet and SO_ERROR says nothing: ask for the peer.
    for (;;) {
      co_await socket->writable();
      socklen_t length = sizeof number;
      ::getsockopt(socket->fd(), SOL_SOCKET, SO_ERROR, &number, &length);
      sockaddr_storage peer{};
      socklen_t peer_length = sizeof peer;
      const bool connected =
          ::getpeername(socket->fd(), reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0;
      if (number != 0 || connected) break;
    }
  }
  if (number != 0) co_return Error::from_errno(number, what).nothing_sent();
  co_return std::make_unique<TcpStream>(std::move(socket), address);
}

// RFC 8305 section 4: the families alternate, the first stays first.
std::vector<SocketAddress> interleaved(std::vector<SocketAddress> addresses) {
  std::vector<SocketAddress> result;
  std::deque<SocketAddress> other;
  const int first_family = addresses.front().family();
  std::deque<SocketAddress> first;
  for (const SocketAddress& address : addresses) {
    (address.family() == first_family ? first : other).push_back(address);
  }
  while (!first.empty() || !other.empty()) {
    for (std::deque<SocketAddress>* from : {&first, &other}) {
      if (from->empty()) continue;
      result.push_back(from->front());
      from->pop_front();
    }
  }
  return result;
}

// Starts one attempt after the other: when the last failed, or after `delay`. The first success wins and the
// others are destroyed; when all have failed, the first failure is reported.
Task<std::unique_ptr<Stream>> connect_to_any(FdBackend& backend, std::vector<SocketAddress> addresses,
                                             Duration delay) {
  detail::PromiseBase& self = co_await detail::this_task;
  Reactor& reactor = self.reactor();
  std::deque<detail::Started<std::unique_ptr<Stream>>> attempts;
  std::size_t begun = 0;
  std::optional<Error> failure;
  TimerEntry next_attempt;
  for (;;) {
    for (auto attempt = attempts.begin(); attempt != attempts.end();) {
      if (!attempt->finished()) {
        ++attempt;
        continue;
      }
      Result<std::unique_ptr<Stream>> outcome = attempt->take();
      attempt = attempts.erase(attempt);
      if (outcome) {
        attempts.clear();
        co_return std::move(outcome);
      }
      if (!failure) failure = std::move(outcome).error();
      next_attempt.disarm();
    }
    if (begun < addresses.size() && !next_attempt.armed()) {
      attempts.emplace_back(connect_to(backend, addresses[begun++])).start(reactor, self);
      next_attempt.arm(reactor.timers(), reactor.precise_now() + delay, self);
      continue;
    }
    if (attempts.empty()) co_return *std::move(failure);
    co_await detail::until_made_ready;
  }
}

}  // namespace

TcpNetwork::TcpNetwork(FdBackend& backend, Reactor& reactor, TcpOptions options)
    : backend_(backend),
      reactor_(reactor),
      options_(std::move(options)),
      resolver_(backend, reactor, options_.resolver) {}

TcpNetwork::~TcpNetwork() = default;

Task<std::unique_ptr<Stream>> TcpNetwork::connect(std::string host, std::uint16_t port) {
  std::vector<SocketAddress> addresses = co_await resolver_.resolve(host, port);
  if (addresses.size() == 1) co_return co_await connect_to(backend_, addresses.front());
  co_return co_await connect_to_any(backend_, interleaved(std::move(addresses)), options_.attempt_delay);
}

Result<std::unique_ptr<Listener>> TcpNetwork::listen(std::string_view address) {
  Result<HostAndPort> parsed = parse_host_and_port(address);
  if (!parsed) return std::move(parsed).error();
  const bool every = parsed->host.empty();
  const std::string host = every ? "::" : parsed->host == "localhost" ? "127.0.0.1" : parsed->host;
  std::optional<SocketAddress> local = SocketAddress::literal(host, parsed->port);
  if (!local)
    return Error(Errc::invalid_argument,
                 "listen on " + std::string(address) + ": give an address, not a name");
  posix::Fd fd(::socket(local->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd && every) {  // a machine without IPv6
    local = SocketAddress::literal("0.0.0.0", parsed->port);
    fd = posix::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  const std::string what = "listen on " + local->text();
  if (!fd) return Error::from_errno(errno, what);
  set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (options_.reuse_port) set_flag(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it
  if (local->family() == AF_INET6) {
    const int only_v6 = every ? 0 : 1;
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
  }
  if (::bind(fd.get(), local->data(), local->size()) != 0) return Error::from_errno(errno, what);
  if (::listen(fd.get(), options_.backlog) != 0) return Error::from_errno(errno, what);
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &length);
  auto socket = std::make_unique<Socket>(backend_, std::move(fd));
  Result<> watched = socket->watch();
  if (!watched) return std::move(watched).error();
  return std::unique_ptr<Listener>(std::make_unique<TcpListener>(
      backend_, std::move(socket), SocketAddress(reinterpret_cast<sockaddr*>(&bound), length)));
}

}  // namespace escapement
