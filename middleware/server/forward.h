// forward, remove_connection_fields: a received request on its way to another server, and the response on its
// way back.
//
//     Task<http::Response> proxy(http::Request request) {
//       http::Request forwarded = co_await http::forward(std::move(request), upstream);
//       http::Response response = co_await client(std::move(forwarded));
//       http::remove_connection_fields(response.headers);
//       co_return std::move(response);
//     }
//
// Bodies stream through, in both directions and with back-pressure.

#pragma once

#include <string>

#include <escapement/core/error.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// Settings of `forward`.
struct ForwardOptions {
  // Keeps the X-Forwarded-* fields of the request and adds to them. Set it only where every client is a proxy
  // of your own: others could claim any address. By default they are replaced.
  bool trust_forwarded = false;
  // Our name in the Via field (RFC 9110 section 7.6.3): a token, or a host and port. Empty: no Via.
  std::string via = "escapement";
};

// Returns the request to send to `upstream`, with the method, the body, the deadline and the fields of
// `received`. Its path and query follow upstream's path: for "http://10.0.0.1:8080/api", "/users?page=2"
// becomes "/api/users?page=2".
//
// It lacks Host, Expect, and the fields that concern one connection only (remove_connection_fields). It has
// Via, X-Forwarded-For with the address of the client, X-Forwarded-Proto and X-Forwarded-Host. Fails with
// Errc::invalid_argument if there is no such URL, as for "OPTIONS *".
Result<Request> forward(Request received, const Url& upstream,
                        const ForwardOptions& options = ForwardOptions());

// Removes the fields that concern one connection only, and must not be forwarded (RFC 9110 section 7.6.1):
// Connection, the fields that it names, Keep-Alive, Proxy-Connection, Proxy-Authenticate,
// Proxy-Authorization, TE, Transfer-Encoding, Upgrade and HTTP2-Settings.
void remove_connection_fields(Headers& headers);

}  // namespace escapement::http
