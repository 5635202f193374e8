// ErrorResponses: an answer in place of a failure.

#pragma once

#include <functional>

#include <escapement/io/http/service.h>

namespace escapement::http {

// Turns the failure of what is inside into an answer, so that layers outside (RequestId, Compress, AccessLog)
// treat it like any other: timed_out and unavailable become 504 and 502 (a handler that asked somebody else),
// overloaded 503, everything else 500. `page` makes the answer; without it a line of text. `reset` passes: it
// is a handler's way to have the connection broken.
//
// What went wrong is for `tell`, not for the client.
struct ErrorResponses {
  std::function<void(const Error&)> tell = {};
  std::function<Response(int status)> page = {};

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
