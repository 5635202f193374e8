// BodyLimit: how long the body of a request may be.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// A request whose body is known to be longer gets 413 and never reaches the next service. One that turns out
// to be longer fails its reader with limit_exceeded, and where that fails the handler, the answer is 413. For
// one route what ServerOptions::body_bytes_max is for all; it can only be lower.
struct BodyLimit {
  std::uint64_t bytes_max;

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
