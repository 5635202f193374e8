// ErrorResponses: turns failures into responses.

#pragma once

#include <functional>

#include <escapement/io/http/service.h>

namespace escapement::http {

// Turns a failure of the inner services into a response, so that layers outside (RequestId, Compress,
// AccessLog) treat it like any other: timed_out becomes 504 and unavailable 502 (a handler that called
// another server), overloaded 503, everything else 500. `page` makes the response; without it the body is a
// line of text. `reset` passes through: it is a handler's way to reset the connection.
//
// `tell` is called with the error, which the client does not see.
struct ErrorResponses {
  std::function<void(const Error&)> tell = {};    // called with each failure; may be empty
  std::function<Response(int status)> page = {};  // makes the response; empty: a short text

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
