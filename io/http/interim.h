// Interim responses: 1xx, which the client of a request gets before the response (RFC 9110 section 15.2).
//
//     Task<http::Response> page(http::Request request) {
//       Result<> told = http::early_hints(request, "</style.css>; rel=preload; as=style");
//       ...
//     }
//
// They go out at once, behind the responses to earlier requests; bytes that the connection does not take yet
// are sent as soon as it does, without waiting for the handler. Clients may do nothing with them: many ignore
// them, and a proxy may drop them.

#pragma once

#include <string_view>

#include <escapement/core/error.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// Sends the client of `request` an interim response: `status`, 102..199, with `fields`. The server sends 100
// by itself (server.h), and 101 is for upgrade.h.
//
// Does nothing for HTTP/1.0, which does not know them, and for a request that came from no Server.
// Errc::invalid_argument, with nothing sent, for another status and for fields that may not be sent;
// limit_exceeded for more than 32 for one request; cancelled once the response has begun, also for a request
// that was kept until long after that. A client that has gone is no failure here: its handler is cancelled.
[[nodiscard]] Result<> inform(const Request& request, int status, const Headers& fields = Headers());

// Sends a 103 with one Link field: a resource that the response is going to need (RFC 8297).
[[nodiscard]] Result<> early_hints(const Request& request, std::string_view link);

}  // namespace escapement::http
