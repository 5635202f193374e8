// The client's address.

#pragma once

#include <string>

#include <escapement/io/http/message.h>

namespace escapement::http {

// Returns Request::peer without port and brackets: "127.0.0.1", "2001:db8::1"; empty if it is unknown. This
// is the other end of the connection: behind a proxy, the proxy.
std::string peer_address(const Request& request);

// Does the same with a stream's peer: "127.0.0.1:80", "[::1]:80".
std::string without_port(std::string_view peer);

// Returns the address as a key for limits: only the first four groups of an IPv6 address (network_of in
// io/host_key.h, which the server's own limit per peer uses as well).
std::string peer_network(const Request& request);

}  // namespace escapement::http
