// SocketAddress: an IP address and a port, in the kernel's form and as text.

#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement {

class SocketAddress {
 public:
  SocketAddress() = default;
  // Copies an IPv4 or IPv6 address as the system has it.
  SocketAddress(const sockaddr* address, socklen_t length);

  // Parses "127.0.0.1" or "::1" (no brackets) and adds a port; nullopt if `host` is a name.
  static std::optional<SocketAddress> literal(std::string_view host, std::uint16_t port);

  // Returns the address for system calls. Valid as long as this object.
  const sockaddr* data() const { return &any_; }
  // Returns the length of what `data` points to.
  socklen_t size() const { return length_; }
  // Returns AF_INET, AF_INET6, or AF_UNSPEC if there is no address.
  int family() const { return any_.sa_family; }
  // Returns the port, in the machine's byte order.
  std::uint16_t port() const;
  // Replaces the port.
  void set_port(std::uint16_t port);

  // Returns the address alone; an IPv4 one as ::ffff:1.2.3.4.
  std::array<std::byte, 16> host_key() const;
  // Formats the address: "127.0.0.1:80", "[::1]:80".
  std::string text() const;
  // Formats the address alone: "127.0.0.1", "::1".
  std::string host_text() const;

 private:
  // 28 bytes, not the 128 of sockaddr_storage: every connection has one.
  union {
    sockaddr_in6 v6_{};
    sockaddr_in v4_;
    sockaddr any_;
  };
  socklen_t length_ = 0;
};

// A host and a port as a user writes them.
struct HostAndPort {
  std::string host;        // empty: every address of this machine
  std::uint16_t port = 0;  // 0: the system chooses one
};

// Parses "HOST:PORT", "[v6]:PORT" or ":PORT". Fails with Errc::invalid_argument; the message shows the text.
Result<HostAndPort> parse_host_and_port(std::string_view text);

}  // namespace escapement
