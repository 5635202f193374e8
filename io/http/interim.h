// Informational answers: what the client of a request is told before its answer (RFC 9110 section 15.2).
//
//     Task<http::Response> page(http::Request request) {
//       Result<> told = http::early_hints(request, "</style.css>; rel=preload; as=style");
//       ...
//     }
//
// They go out at once, behind the answers to requests that came before; what the connection does not take is
// sent as soon as it does, without waiting for the handler. The client that a server is for decides what
// comes of them: many ignore them, and a proxy may drop them.

#pragma once

#include <string_view>

#include <escapement/core/error.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// Tells the client of `request` `status`, 102..199, with `fields`. 100 is the server's own to send
// (server.h), 101 is upgrade.h's. Valid as long as the request is in work, like Request::peer.
//
// Nothing happens where nobody would understand it, or nobody listens: HTTP/1.0, a request that came from no
// Server. Errc::invalid_argument, with nothing sent, for another status and for fields that may not be sent;
// limit_exceeded for more than 32 to one request; cancelled once the answer has begun. A client that is gone
// is no failure here: the handler goes with it.
[[nodiscard]] Result<> inform(const Request& request, int status, const Headers& fields = Headers());

// 103 with one Link field: what the answer is going to need (RFC 8297).
[[nodiscard]] Result<> early_hints(const Request& request, std::string_view link);

}  // namespace escapement::http
