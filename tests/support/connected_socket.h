// A client's socket without a loop, for those that talk to a server while its loop stands still.

#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include <escapement/core/detail/check.h>

namespace escapement::test {

// Blocking, connected to this port of 127.0.0.1. The caller closes it.
inline int connected_socket(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ESC_CHECK(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace escapement::test
