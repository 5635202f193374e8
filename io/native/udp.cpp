#include <escapement/io/native/udp.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <escapement/io/native/detail/socket.h>
#include <escapement/io/native/detail/system.h>

namespace escapement {

namespace {

constexpr int turns_max = 32;

// Puts an IPv4 address into IPv6 form, for a socket of that family.
SocketAddress mapped(const SocketAddress& address) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port());
  const std::array<std::byte, 16> host = address.host_key();
  std::memcpy(&v6.sin6_addr, host.data(), host.size());
  return SocketAddress(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

// Undoes that: peers look alike whatever the socket's family.
SocketAddress unmapped(const SocketAddress& address) {
  if (address.family() != AF_INET6) return address;
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address.data());
  if (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) return address;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = v6->sin6_port;
  std::memcpy(&v4.sin_addr, v6->sin6_addr.s6_addr + 12, 4);
  return SocketAddress(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
}

SocketAddress name_of(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
  return SocketAddress(reinterpret_cast<const sockaddr*>(&name), size);
}

Errc kind_of(int number) {
  switch (number) {
    case EMSGSIZE: return Errc::limit_exceeded;
    case EDESTADDRREQ:
    case EISCONN:
    case EAFNOSUPPORT: return Errc::invalid_argument;
    case EPROTO:  // other ICMP messages
    case ENOPROTOOPT:
    case ECONNRESET: return Errc::unavailable;
    default: return Error::from_errno(number, "").code();
  }
}

}  // namespace

UdpSocket::UdpSocket(FdBackend& backend, posix::Fd fd, int family, bool connected, bool reports)
    : socket_(std::make_unique<detail::Socket>(backend, std::move(fd))),
      family_(family),
      connected_(connected),
      reports_(reports) {}

UdpSocket::~UdpSocket() = default;

Result<std::unique_ptr<UdpSocket>> UdpSocket::open(FdBackend& backend, int family, UdpOptions options,
                                                   std::string_view what) {
  posix::Fd fd = posix::open_socket(family, SOCK_DGRAM);
  if (!fd) return Error::from_errno(errno, what);
  const auto set = [&](int level, int name, int value) {
    ::setsockopt(fd.get(), level, name, &value, sizeof value);
  };
  if (options.receive_buffer > 0) set(SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  if (options.send_buffer > 0) set(SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  if (options.reuse_port) posix::share_address(fd.get());
  if (family == AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, options.only_v6 ? 1 : 0);
  if (options.report_icmp && !posix::report_errors(fd.get(), family)) return Error::from_errno(errno, what);
  return std::unique_ptr<UdpSocket>(
      new UdpSocket(backend, std::move(fd), family, false, options.report_icmp));
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::bind(FdBackend& backend, std::string_view address,
                                                   UdpOptions options) {
  Result<HostAndPort> parsed = parse_host_and_port(address);
  if (!parsed) return std::move(parsed).error();
  const bool every = parsed->host.empty();
  const std::string host = every ? "::" : parsed->host == "localhost" ? "127.0.0.1" : parsed->host;
  std::optional<SocketAddress> local = SocketAddress::literal(host, parsed->port);
  if (!local) {
    return Error(Errc::invalid_argument, "bind to " + std::string(address) + ": give an address, not a name");
  }
  if (!every) options.only_v6 = true;
  const std::string what = "bind to " + std::string(address);
  Result<std::unique_ptr<UdpSocket>> socket = open(backend, local->family(), options, what);
  if (!socket && every && socket.error().os_number() == EAFNOSUPPORT) {  // a machine without IPv6
    local = SocketAddress::literal("0.0.0.0", parsed->port);
    socket = open(backend, AF_INET, options, what);
  }
  if (!socket) return socket;
  if (::bind((*socket)->socket_->fd(), local->data(), local->size()) != 0) {
    return Error::from_errno(errno, what);
  }
  return socket;
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::connect(FdBackend& backend, const SocketAddress& peer,
                                                      UdpOptions options) {
  const std::string what = "connect to " + peer.text();
  Result<std::unique_ptr<UdpSocket>> socket = open(backend, peer.family(), options, what);
  if (!socket) return socket;
  if (::connect((*socket)->socket_->fd(), peer.data(), peer.size()) != 0) {
    return Error::from_errno(errno, what).nothing_sent();
  }
  (*socket)->connected_ = true;
  return socket;
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::adopt(FdBackend& backend, posix::Fd&& socket) {
  const int fd = socket.get();
  const std::string name = "descriptor " + std::to_string(fd);
  const std::optional<int> type = detail::socket_option(fd, SO_TYPE);
  if (!type) return Error::from_errno(errno, name, Errc::invalid_argument);
  const int family = name_of(fd).family();
  if (*type != SOCK_DGRAM || (family != AF_INET && family != AF_INET6)) {
    return Error(Errc::invalid_argument, name + " is no UDP socket");
  }
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  const bool connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
  return std::unique_ptr<UdpSocket>(new UdpSocket(backend, std::move(socket), family, connected, false));
}

SocketAddress UdpSocket::address() const { return unmapped(name_of(socket_->fd())); }

// Returns whether this operation has to let others run before it goes on.
bool UdpSocket::turn_over() {
  if (++turns_ <= turns_max) return false;
  turns_ = 0;
  return true;
}

Task<Datagram> UdpSocket::receive(MutableBytes room) {
  ReceivedDatagram one;
  one.room = room;
  co_await receive_batch(std::span<ReceivedDatagram>(&one, 1));
  Datagram datagram;
  datagram.bytes = one.bytes();
  datagram.peer = one.peer;
  datagram.size = one.size;
  co_return std::move(datagram);
}

Task<std::size_t> UdpSocket::receive_batch(std::span<ReceivedDatagram> into) {
  ESC_CHECK(!into.empty());
  if (turn_over()) co_await yield();
  into = into.first(std::min(into.size(), batch_max));
  for (;;) {
    const int count = posix::receive_datagrams(socket_->fd(), into);
    if (count > 0) {
      for (ReceivedDatagram& each : into.first(static_cast<std::size_t>(count))) {
        each.peer = unmapped(each.peer);
      }
      co_return static_cast<std::size_t>(count);
    }
    const int number = errno;
    if (number == EINTR) continue;
    if (number != EAGAIN) co_return failure(number, "receive", {});
    turns_ = 0;
    if (!socket_->watched()) co_await socket_->begin_watch();
    co_await socket_->readable();
  }
}

Task<> UdpSocket::send_to(Bytes bytes, SocketAddress to) {
  const OutgoingDatagram one(bytes, to);
  co_await send_batch(std::span<const OutgoingDatagram>(&one, 1));
}

Task<> UdpSocket::send(Bytes bytes) {
  const OutgoingDatagram one(bytes, SocketAddress());
  co_await send_batch(std::span<const OutgoingDatagram>(&one, 1));
}

Task<std::size_t> UdpSocket::send_batch(std::span<const OutgoingDatagram> from) {
  ESC_CHECK(!from.empty());
  if (turn_over()) co_await yield();
  from = from.first(std::min(from.size(), batch_max));
  for (;;) {
    const int count = send_now(from);
    if (count > 0) co_return static_cast<std::size_t>(count);
    const int number = errno;
    if (number == EINTR) continue;
    if (number != EAGAIN && number != ENOBUFS) {
      std::string to;
      if (from.front().to.size() != 0) to = from.front().to.text();
      co_return failure(number, "send " + std::to_string(from.front().bytes.size()) + " bytes", to);
    }
    if (number == ENOBUFS) co_return failure(number, "send", {});
    turns_ = 0;
    co_await socket_->begin_watch_writes();
    co_await socket_->writable();
  }
}

// Converts IPv4 addresses if the socket has the other family, and leaves the addresses out if it is
// connected.
int UdpSocket::send_now(std::span<const OutgoingDatagram> from) {
  std::array<SocketAddress, batch_max> to;
  if (!connected_) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      to[i] = from[i].to;
      if (family_ == AF_INET6 && to[i].family() == AF_INET) to[i] = mapped(to[i]);
    }
  }
  return posix::send_datagrams(socket_->fd(), from, std::span<const SocketAddress>(to).first(from.size()));
}

// A report by ICMP names its peer; any other failure is about the operation itself.
Error UdpSocket::failure(int number, std::string_view what, std::string_view peer) {
  SocketAddress reported;
  int reason = number;
  std::string whom(peer);
  if (reports_ && posix::take_reported_error(socket_->fd(), reason, reported)) {
    whom = reported.size() != 0 ? unmapped(reported).text() : whom;
    return Error::from_errno(reason, "a datagram to " + whom, Errc::unavailable).with_peer(whom);
  }
  std::string sentence(what);
  if (!whom.empty()) sentence += " to " + whom;
  Error error = Error::from_errno(number, sentence, kind_of(number));
  return whom.empty() ? error : std::move(error).with_peer(whom);
}

}  // namespace escapement
