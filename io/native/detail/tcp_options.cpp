#include <escapement/io/native/detail/tcp_options.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

#include <escapement/io/native/detail/system.h>

namespace escapement::detail {

namespace {

// Returns whole seconds, rounded up; 0 for what is no length.
int seconds_of(Duration length) {
  constexpr std::int64_t second = 1'000'000'000;
  constexpr std::int64_t most = 1'000'000;  // far more than the kernel takes
  if (length <= Duration()) return 0;
  return static_cast<int>(std::min(length.count() / second + (length.count() % second != 0 ? 1 : 0), most));
}

Result<> set(int fd, const SystemSocketOption& option, const std::string& what) {
  if (option.value < 0)
    return Error(Errc::invalid_argument, what + ": " + option.text + " cannot be negative");
  if (::setsockopt(fd, option.level, option.name, &option.value, sizeof option.value) == 0) return {};
  return Error::from_errno(errno, what + ": " + option.text);
}

Result<> prepare(int fd, const TcpSocketOptions& options, bool listens, const std::string& what) {
  if (options.keep_alive) {
    const TcpKeepAlive& keep = *options.keep_alive;
    if (!posix::keep_alive(fd, seconds_of(keep.idle), seconds_of(keep.interval), keep.probes)) {
      return Error::from_errno(errno, what + ": keep-alive");
    }
  }
  for (const auto& [name, size, text] : {std::tuple(SO_RCVBUF, options.receive_buffer, "the receive buffer"),
                                         std::tuple(SO_SNDBUF, options.send_buffer, "the send buffer")}) {
    if (size == 0) continue;
    if (Result<> done = set(fd, SystemSocketOption(text, SOL_SOCKET, name, size, false), what); !done) {
      return done;
    }
  }
  for (const SystemSocketOption& option : options.system) {
    if (option.listeners_only && !listens) continue;
    if (Result<> done = set(fd, option, what); !done) return done;
  }
  return {};
}

}  // namespace

Result<> prepare_to_connect(int fd, const TcpSocketOptions& options, const SocketAddress& peer,
                            const std::string& what) {
  if (Result<> done = prepare(fd, options, false, what); !done) return done;
  if (options.local_address.empty()) return {};
  const std::string from = what + " from " + options.local_address;
  const std::optional<SocketAddress> local = SocketAddress::literal(options.local_address, 0);
  if (!local) return Error(Errc::invalid_argument, from + ": give an address, without a port");
  if (local->family() != peer.family()) {
    return Error(Errc::unavailable, from + ": the addresses are of different families");
  }
  posix::choose_port_late(fd);
  if (::bind(fd, local->data(), local->size()) != 0) return Error::from_errno(errno, from);
  return {};
}

Result<> prepare_to_listen(int fd, const TcpSocketOptions& options, const std::string& what) {
  return prepare(fd, options, true, what);
}

}  // namespace escapement::detail
