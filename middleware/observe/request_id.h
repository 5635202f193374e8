// RequestId: one name for a request in every log it passes.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Sees to it that the request has an X-Request-Id, and gives the answer the same. One that came with the
// request stays where `trusted` says so and it is 1 to 128 letters, digits and "-._~+/=:"; any other is
// replaced by 32 hexadecimal digits at random (not for secrets).
struct RequestId {
  bool trusted = true;

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
