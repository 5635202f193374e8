// BodyLimit: limits the length of request bodies.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Responds with 413 to a request whose body is known to be longer, without calling the next service. A body
// that turns out to be longer fails its reader with limit_exceeded; if that fails the handler, the response
// is 413. Does for one route what ServerOptions::body_bytes_max does for all, and can only lower that limit.
struct BodyLimit {
  std::uint64_t bytes_max;  // more: 413

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
