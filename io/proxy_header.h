// The header of the PROXY protocol: by it a proxy says, before the first byte of a connection, who the client
// is that it connects for. This is the format alone; proxy_protocol.h reads and writes it on streams.
//
// Version 1 is a line of text, "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", of at most 107 bytes.
// Version 2 is binary, knows UDP and Unix sockets, and carries fields of type, length and value (TLVs).
//
// Source: "The PROXY protocol, versions 1 & 2", doc/proxy-protocol.txt of HAProxy.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/bytes.h>
#include <escapement/core/error.h>
#include <escapement/io/host_key.h>

namespace escapement {

// The transport between the client and the proxy.
enum class ProxyTransport : std::uint8_t {
  unspecified,   // the proxy does not know the client, or the transport: use the connection's own addresses
  tcp4,          // TCP over IPv4
  udp4,          // UDP over IPv4; version 2 only
  tcp6,          // TCP over IPv6
  udp6,          // UDP over IPv6; version 2 only
  unix_stream,   // a Unix stream socket; version 2 only
  unix_datagram  // a Unix datagram socket; version 2 only
};

// One of the two addresses: a host and a port, or the path of a Unix socket.
struct ProxyAddress {
  ProxyAddress() = default;
  // Holds an IPv4 or IPv6 address.
  ProxyAddress(const HostKey& h, std::uint16_t p) : host(h), port(p) {}
  // Formats the address, as Stream::peer does: "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/app.sock".
  std::string text() const;

  HostKey host{};          // an IPv4 one as ::ffff:1.2.3.4
  std::uint16_t port = 0;  // of TCP and UDP
  std::string path;        // of Unix sockets, at most 108 bytes
};

// Registered types of TLVs (section 2.2). Proxies add types of their own from 0xe0 to 0xef.
struct ProxyTlv {
  static constexpr std::uint8_t alpn = 0x01;       // the protocol that the client agreed on with the proxy
  static constexpr std::uint8_t authority = 0x02;  // the host name that the client asked for by SNI
  static constexpr std::uint8_t crc32c = 0x03;     // checked when read, filled in when written
  static constexpr std::uint8_t noop = 0x04;       // padding
  static constexpr std::uint8_t unique_id = 0x05;  // the proxy's name for the connection, up to 128 bytes
  static constexpr std::uint8_t ssl = 0x20;        // a structure and further TLVs, kept as bytes
  static constexpr std::uint8_t netns = 0x30;      // the name of the network namespace

  ProxyTlv(std::uint8_t t, std::string v) : type(t), value(std::move(v)) {}
  std::uint8_t type;  // one of those above, or another
  std::string value;  // bytes, without type and length
};

// The contents of a PROXY header.
struct ProxyHeader {
  int version = 2;  // 1 or 2
  // The proxy connected for itself (LOCAL), for a health check: use the connection's own addresses.
  bool local = false;
  ProxyTransport transport = ProxyTransport::unspecified;
  ProxyAddress source;         // the client; meaningless if local or unspecified, like the next
  ProxyAddress destination;    // the address that the client connected to
  std::vector<ProxyTlv> tlvs;  // in order; empty in version 1

  // Returns whether the header names a client.
  bool names_client() const { return !local && transport != ProxyTransport::unspecified; }
  // Returns the value of the first TLV of a type; null if there is none.
  const std::string* find(std::uint8_t type) const;
};

// Parses the header at the beginning of `bytes`; stores its size in `size`. nullopt: more bytes are needed.
// Fails with bad_message, as soon as it can be known, if this is no header: malformed, of another version or
// command, with addresses that do not belong to its transport, with TLVs that do not fit, with a wrong
// checksum. Fails with limit_exceeded if it is longer than `bytes_max` (version 1: 107 at most).
Result<std::optional<ProxyHeader>> parse_proxy_header(Bytes bytes, std::size_t bytes_max, std::size_t& size);

// Formats a header. Fails with invalid_argument: version 1 with TLVs, UDP or Unix addresses; addresses that
// do not belong to the transport; more than fits into 65,535 bytes.
Result<std::string> proxy_header_bytes(const ProxyHeader& header);

}  // namespace escapement
