// WebSocket's opening handshake (RFC 6455 section 4), as texts.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/error.h>
#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// Returns what a server answers to a Sec-WebSocket-Key.
std::string web_socket_accept(std::string_view key);

// Returns whether `key` is one: 16 bytes in base64.
bool is_web_socket_key(std::string_view key);

// Returns the response that refuses a request for a WebSocket, or nothing if it may begin. `origins` as
// WebSocketAcceptOptions has them.
std::optional<Response> web_socket_refusal(const Request& request, const std::vector<std::string>& origins);

// Returns the first of `spoken` that the client offers; empty: none.
std::string_view agreed_protocol(const Request& request, const std::vector<std::string>& spoken);

// Returns why a server's answer to `key` begins no WebSocket; else the subprotocol that it chose, one of
// `offered`, or none.
Result<std::string> web_socket_answer(int status, const Headers& headers, std::string_view key,
                                      const std::vector<std::string>& offered);

}  // namespace escapement::http::detail
