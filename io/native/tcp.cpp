#include <escapement/io/native/tcp.h>

#include <fcntl.h>
#include <netinet/tcp.h>

#include <cerrno>

#include <escapement/io/native/detail/socket.h>
#include <escapement/io/native/detail/system.h>
#include <escapement/io/native/detail/tcp_options.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/native/source_address.h>

namespace escapement {

namespace {

using detail::Socket;

void set_flag(int fd, int level, int name) {
  const int on = 1;
  ::setsockopt(fd, level, name, &on, sizeof on);  // a failure costs speed, not correctness
}

class TcpStream final : public Stream {
 public:
  TcpStream(FdBackend& backend, posix::Fd fd, const SocketAddress& peer)
      : socket_(backend, std::move(fd)), peer_(peer) {}

  Task<std::size_t> read_task(MutableBytes into) override {
    ESC_CHECK(!into.empty());
    if (!take_turn()) co_await yield();
    for (;;) {
      if (socket_.watch().may_read) {
        const ssize_t count = receive(into);
        if (count >= 0) co_return static_cast<std::size_t>(count);
        if (count == failed) co_return broken_off("read from ", std::exchange(read_failed_, 0));
      }
      waits();
      if (!socket_.watched()) co_await socket_.begin_watch();
      co_await socket_.readable();
    }
  }

  std::optional<std::size_t> read_now(MutableBytes into) override {
    const ssize_t count = socket_.watch().may_read ? receive(into) : none_yet;
    if (count == none_yet) return std::nullopt;
    return count == failed ? 0 : static_cast<std::size_t>(count);
  }

  Task<> write_task(Bytes bytes) override {
    if (!take_turn()) co_await yield();
    for (;;) {
      if (write_failed_ != 0) co_await broken_off("write to ", std::exchange(write_failed_, 0));
      if (socket_.watch().may_write) bytes = bytes.subspan(write_now(bytes));
      if (bytes.empty()) co_return;
      if (write_failed_ != 0) continue;
      waits();
      co_await socket_.begin_watch_writes();
      co_await socket_.writable();
    }
  }

  std::size_t write_now(Bytes bytes) override {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t count = ::send(socket_.fd(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count >= 0) {
        sent += static_cast<std::size_t>(count);
      } else if (errno == EAGAIN) {
        socket_.watch().may_write = false;
        break;
      } else if (errno != EINTR) {
        write_failed_ = errno;
        break;
      }
    }
    return sent;
  }

  Task<bool> send_file(FileRange& range, std::size_t most) override {
    if (!take_turn()) co_await yield();
    const std::uint64_t left_then = range.left - std::min<std::uint64_t>(range.left, most);
    while (range.left > left_then) {
      if (write_failed_ != 0) co_await broken_off("write to ", std::exchange(write_failed_, 0));
      if (socket_.watch().may_write && !send_from(range, range.left - left_then)) co_return false;
      if (socket_.watch().may_write) continue;
      waits();
      co_await socket_.begin_watch_writes();
      co_await socket_.writable();
    }
    co_return true;
  }

  bool watch(Reactor&, Runnable* waiter) override {
    if (waiter != nullptr && !socket_.watched() && !socket_.begin_watch()) return false;
    socket_.at_next_event(waiter);
    return true;
  }

  bool write_closed() const override { return socket_.watch().write_closed; }
  bool read_closed() const override { return socket_.watch().ending; }

  Task<> shutdown_write() override {
    if (::shutdown(socket_.fd(), SHUT_WR) != 0) co_await broken_off("half-close to ", errno);
  }

  bool readable_or_closed() override {
    char byte = 0;
    const ssize_t count = ::recv(socket_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    socket_.watch().may_read = true;  // whatever the poller has reported so far
    return true;
  }

  void reset_on_close() override {
    const linger at_once{1, 0};
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  std::string peer() const override { return peer_.text(); }
  std::optional<HostKey> peer_host() const override { return peer_.host_key(); }

  Socket& socket() { return socket_; }

 private:
  static constexpr ssize_t none_yet = -1;
  static constexpr ssize_t failed = -2;  // read_failed_ holds the errno

  // Returns the number of bytes read, 0 at the end, or one of the two values above. A read that returns less
  // than it has room for has drained the socket.
  ssize_t receive(MutableBytes into) {
    if (read_failed_ != 0) return failed;
    for (;;) {
      const ssize_t count = ::recv(socket_.fd(), into.data(), into.size(), 0);
      if (count > 0 && static_cast<std::size_t>(count) < into.size()) socket_.watch().drained();
      if (count >= 0) return count;
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {
        read_failed_ = errno;
        return failed;
      }
      socket_.watch().drained_for_now();
      return none_yet;
    }
  }

  // Calls sendfile once. Returns false if the kernel cannot do it for this file.
  bool send_from(FileRange& range, std::uint64_t most) {
    const ssize_t count = posix::send_file(socket_.fd(), range.fd, static_cast<off_t>(range.offset),
                                           static_cast<std::size_t>(most));
    if (count > 0) {
      range.offset += static_cast<std::uint64_t>(count);
      range.left -= static_cast<std::uint64_t>(count);
    } else if (count == 0) {
      write_failed_ = ENODATA;  // the file has become shorter
    } else if (errno == EAGAIN) {
      socket_.watch().may_write = false;
    } else if (errno == EINVAL || errno == ENOSYS) {
      return false;
    } else if (errno != EINTR) {
      write_failed_ = errno;
    }
    return true;
  }

  Error broken_off(std::string_view what, int number) const {
    return Error::from_errno(number, std::string(what) + peer_.text(), Errc::reset);
  }

  Socket socket_;
  SocketAddress peer_;
  // The errno of a failure that has not been reported yet; the kernel reports it only once.
  int read_failed_ = 0;
  int write_failed_ = 0;
};

class TcpListener final : public Listener {
 public:
  TcpListener(FdBackend& backend, std::unique_ptr<Socket> socket, SocketAddress address)
      : backend_(backend), socket_(std::move(socket)), address_(address) {}

  Task<std::unique_ptr<Stream>> accept() override {
    if (++accepts_in_a_row_ > detail::accepts_in_a_row_max) {
      accepts_in_a_row_ = 0;
      co_await yield();
    }
    for (int broken = 0;;) {
      sockaddr_storage peer{};
      socklen_t length = 0;
      posix::Fd fd = posix::accept_connection(socket_->fd(), peer, length);
      const int number = errno;
      if (!fd && number == EAGAIN) {
        broken = accepts_in_a_row_ = 0;
        if (!socket_->watched()) co_await socket_->begin_watch();
        co_await socket_->readable();
        continue;
      }
      // Takes the next one.
      if (!fd && posix::connection_broke(number) && ++broken <= detail::accepts_in_a_row_max) continue;
      if (!fd) co_return Error::from_errno(number, "accept", Errc::overloaded);
      co_return std::make_unique<TcpStream>(backend_, std::move(fd),
                                            SocketAddress(reinterpret_cast<sockaddr*>(&peer), length));
    }
  }

  std::uint16_t port() const override { return address_.port(); }
  std::string address() const override { return address_.text(); }

 private:
  FdBackend& backend_;
  std::unique_ptr<Socket> socket_;
  SocketAddress address_;
  int accepts_in_a_row_ = 0;
};

Task<std::unique_ptr<Stream>> connect_to(FdBackend& backend, const TcpSocketOptions& options,
                                         SocketAddress address) {
  const std::string what = "connect to " + address.text();
  posix::Fd fd = posix::open_socket(address.family(), SOCK_STREAM);
  if (!fd) co_return Error::from_errno(errno, what).nothing_sent();
  if (options.no_delay) set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  if (options.tuned()) {
    Result<> prepared = detail::prepare_to_connect(fd.get(), options, address, what);
    if (!prepared) co_return std::move(prepared).error().nothing_sent();
  }
  auto stream = std::make_unique<TcpStream>(backend, std::move(fd), address);
  Socket& socket = stream->socket();
  int number = ::connect(socket.fd(), address.data(), address.size()) == 0 ? 0 : errno;
  if (number == EINPROGRESS || number == EINTR) {
    Result<> watched = socket.begin_watch_writes();
    if (!watched) co_return std::move(watched).error().nothing_sent();
    // A wake-up before the connection is decided leaves SO_ERROR at 0; only getpeername shows that it
    // succeeded.
    for (;;) {
      co_await socket.writable();
      socklen_t length = sizeof number;
      ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &number, &length);
      sockaddr_storage peer{};
      socklen_t peer_length = sizeof peer;
      const bool connected =
          ::getpeername(socket.fd(), reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0;
      if (number != 0 || connected) break;
    }
  }
  if (number != 0) co_return Error::from_errno(number, what).nothing_sent();
  co_return std::move(stream);
}

// Restores the real error: the resolver reports `unavailable` even when it had no descriptor to ask with.
Error without_descriptors(Error error, const std::string& host) {
  if (error != Errc::unavailable) return error;
  const posix::Fd probe = posix::open_socket(AF_INET, SOCK_DGRAM);
  if (probe || (errno != EMFILE && errno != ENFILE)) return error;
  return Error::from_errno(errno, "resolve " + host).nothing_sent();
}

}  // namespace

TcpNetwork::TcpNetwork(FdBackend& backend, Reactor& reactor, TcpOptions options)
    : backend_(backend), options_(std::move(options)), resolver_(backend, reactor, options_.resolver) {
  if (!options_.happy_eyeballs.source_address) options_.happy_eyeballs.source_address = source_address;
}

TcpNetwork::~TcpNetwork() = default;

Task<std::unique_ptr<Stream>> TcpNetwork::connect(std::string host, std::uint16_t port) {
  return connect_within(Duration::max(), std::move(host), port);
}

Task<std::unique_ptr<Stream>> TcpNetwork::connect_within(Duration limit, std::string host,
                                                         std::uint16_t port) {
  const auto connect = [this](SocketAddress address) {
    return connect_to(backend_, options_.socket, address);
  };
  Task<std::unique_ptr<Stream>> connecting =
      connect_by_happy_eyeballs(resolver_, connect, host, port, limit, options_.happy_eyeballs);
  Result<std::unique_ptr<Stream>> stream = co_await std::move(connecting).result();
  if (!stream && stream.error().fault() == Fault::dns_no_answer)
    co_return without_descriptors(std::move(stream).error(), host);
  co_return std::move(stream);
}

namespace {

struct Bound {
  posix::Fd fd;
  std::string what;  // for error messages
};

SocketAddress own_address(int fd) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length);
  return SocketAddress(reinterpret_cast<sockaddr*>(&name), length);
}

std::unique_ptr<Listener> listener_of(FdBackend& backend, posix::Fd fd) {
  const SocketAddress address = own_address(fd.get());
  auto socket = std::make_unique<Socket>(backend, std::move(fd));
  return std::make_unique<TcpListener>(backend, std::move(socket), address);
}

// Binds a socket to `address` without listening. `shared` lets other sockets share the address; `every_v6`
// leaves IPv4 out of ":PORT".
Result<Bound> bind_to(std::string_view address, bool shared, bool every_v6) {
  Result<HostAndPort> parsed = parse_host_and_port(address);
  if (!parsed) return std::move(parsed).error();
  const bool every = parsed->host.empty();
  const std::string host = every ? "::" : parsed->host == "localhost" ? "127.0.0.1" : parsed->host;
  std::optional<SocketAddress> local = SocketAddress::literal(host, parsed->port);
  if (!local)
    return Error(Errc::invalid_argument,
                 "listen on " + std::string(address) + ": give an address, not a name");
  posix::Fd fd = posix::open_socket(local->family(), SOCK_STREAM);
  if (!fd && every && !every_v6) {  // a machine without IPv6
    local = SocketAddress::literal("0.0.0.0", parsed->port);
    fd = posix::open_socket(AF_INET, SOCK_STREAM);
  }
  std::string what = "listen on " + local->text();
  if (!fd) return Error::from_errno(errno, what);
  set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (shared) posix::share_address(fd.get());
  if (local->family() == AF_INET6) {
    const int only_v6 = every && !every_v6 ? 0 : 1;
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
  }
  if (::bind(fd.get(), local->data(), local->size()) != 0) return Error::from_errno(errno, what);
  return Bound{std::move(fd), std::move(what)};
}

}  // namespace

Result<> TcpNetwork::check_free(std::string_view address) {
  Result<Bound> bound = bind_to(address, false, options_.socket.only_v6);
  if (!bound) return std::move(bound).error();
  return {};
}

Result<std::unique_ptr<Listener>> TcpNetwork::listen(std::string_view address) {
  Result<Bound> bound = bind_to(address, options_.reuse_port, options_.socket.only_v6);
  if (!bound) return std::move(bound).error();
  const int fd = bound->fd.get();
  if (options_.socket.no_delay) set_flag(fd, IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it
  if (options_.socket.tuned()) {
    Result<> prepared = detail::prepare_to_listen(fd, options_.socket, bound->what);
    if (!prepared) return std::move(prepared).error();
  }
  if (::listen(fd, options_.backlog) != 0) return Error::from_errno(errno, bound->what);
  return listener_of(backend_, std::move(bound->fd));
}

Result<std::unique_ptr<Listener>> adopt_tcp_listener(FdBackend& backend, posix::Fd&& socket) {
  const int fd = socket.get();
  const std::string name = "descriptor " + std::to_string(fd);
  int type = 0;
  int listening = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) {
    return Error::from_errno(errno, name, Errc::invalid_argument);
  }
  const int family = own_address(fd).family();
  if (type != SOCK_STREAM || listening == 0 || (family != AF_INET && family != AF_INET6)) {
    return Error(Errc::invalid_argument, name + " is no TCP socket that listens");
  }
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
  return listener_of(backend, std::move(socket));
}

}  // namespace escapement
