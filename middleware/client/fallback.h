// Fallback: another service answers when the first one fails.

#pragma once

#include <functional>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/retry_policy.h>

namespace escapement::http {

// Calls `service` if the next service fails or responds with a failure, and returns its outcome, whatever it
// is: another region, a cache, a fixed response. A request whose body cannot be sent again goes to the next
// service only, and so does, unless `any_method`, one that is not idempotent and of which the peer may have
// received a part.
//
//     const Service api = layered(Fallback{stale_copy}, Timeout{1s}, client);
struct Fallback {
  Service service;          // responds instead
  bool any_method = false;  // whether requests that are not idempotent fall back whatever has happened
  // Says whether an outcome is a failure. Empty: an Error that is not `cancelled` or `invalid_argument`, or a
  // status of 500 or more.
  std::function<bool(const Attempt&)> failed = {};

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
