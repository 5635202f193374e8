#include <escapement/io/address.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include <escapement/core/detail/number.h>

namespace escapement {

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length)
    : length_(std::min<socklen_t>(length, sizeof v6_)) {
  std::memcpy(&v6_, address, length_);
}

std::optional<SocketAddress> SocketAddress::literal(std::string_view host, std::uint16_t port) {
  const std::string text(host);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    return SocketAddress(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    return SocketAddress(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  }
  return std::nullopt;
}

std::uint16_t SocketAddress::port() const {
  return ntohs(family() == AF_INET6 ? v6_.sin6_port : v4_.sin_port);
}

void SocketAddress::set_port(std::uint16_t port) {
  (family() == AF_INET6 ? v6_.sin6_port : v4_.sin_port) = htons(port);
}

std::array<std::byte, 16> SocketAddress::host_key() const {
  std::array<std::byte, 16> key{};
  if (family() == AF_INET6) {
    std::memcpy(key.data(), &v6_.sin6_addr, 16);
  } else {
    key[10] = key[11] = std::byte{0xff};
    std::memcpy(key.data() + 12, &v4_.sin_addr, 4);
  }
  return key;
}

std::string SocketAddress::text() const {
  char buffer[1 + INET6_ADDRSTRLEN + 2 + 5];
  char* at = buffer;
  if (family() == AF_INET6) {
    *at++ = '[';
    ::inet_ntop(AF_INET6, &v6_.sin6_addr, at, INET6_ADDRSTRLEN);
    at += std::strlen(at);
    *at++ = ']';
    *at++ = ':';
  } else {
    // Formats IPv4 by hand: inet_ntop uses sprintf, and every accepted connection is named.
    std::array<unsigned char, 4> bytes;
    std::memcpy(bytes.data(), &v4_.sin_addr, bytes.size());
    for (const unsigned char byte : bytes) {
      at = std::to_chars(at, at + 3, byte).ptr;
      *at++ = '.';
    }
    at[-1] = ':';
  }
  at = std::to_chars(at, at + 5, port()).ptr;
  return std::string(buffer, at);
}

std::string SocketAddress::host_text() const {
  std::string both = text();
  both.erase(both.rfind(':'));
  return both.front() == '[' ? both.substr(1, both.size() - 2) : both;
}

Result<HostAndPort> parse_host_and_port(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    std::string sentence(1, '"');
    sentence.append(text.substr(0, 100)).append("\" is not HOST:PORT: ").append(why);
    return Error(Errc::invalid_argument, std::move(sentence));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return wrong("the port is missing");
  HostAndPort result;
  std::string_view host = text.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    if (host.back() != ']') return wrong("the ] after the IPv6 address is missing");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return wrong("an IPv6 address must be in brackets");
  }
  result.host = host;
  const std::string_view port = text.substr(colon + 1);
  const auto value = parse_number<std::uint16_t>(port);
  if (!value) return wrong("the port is not a number from 0 to 65535");
  result.port = *value;
  return result;
}

}  // namespace escapement
