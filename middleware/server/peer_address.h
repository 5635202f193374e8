// The address that a request came from.

#pragma once

#include <string>

#include <escapement/io/http/message.h>

namespace escapement::http {

// Request::peer without the port and brackets: "127.0.0.1", "2001:db8::1"; empty where it is not known. This
// is the other end of the connection: behind a proxy, the proxy.
std::string peer_address(const Request& request);

// The same of what a stream calls its peer: "127.0.0.1:80", "[::1]:80".
std::string without_port(std::string_view peer);

// The same as a key for limits: of an IPv6 address only the first four groups (network_of in io/host_key.h,
// which the server's own limit for each peer keeps to as well).
std::string peer_network(const Request& request);

}  // namespace escapement::http
