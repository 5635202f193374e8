#include <escapement/io/native/source_address.h>

#include <sys/socket.h>

#include <escapement/io/native/detail/system.h>

namespace escapement {

std::optional<SocketAddress> source_address(const SocketAddress& destination) {
  const posix::Fd probe = posix::open_socket(destination.family(), SOCK_DGRAM);
  if (!probe) return std::nullopt;
  SocketAddress to = destination;
  if (to.port() == 0) to.set_port(9);  // some systems connect to no port 0
  if (::connect(probe.get(), to.data(), to.size()) != 0) return std::nullopt;
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&name), &length) != 0) return std::nullopt;
  return SocketAddress(reinterpret_cast<sockaddr*>(&name), length);
}

}  // namespace escapement
