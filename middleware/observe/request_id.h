// RequestId: gives each request an id that every log it passes can record.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Ensures that the request has an X-Request-Id, and sets the same on the response. Keeps an id that came with
// the request if `trusted` is set and the id is 1 to 128 letters, digits and "-._~+/=:"; replaces any other
// by 32 random hexadecimal digits (not for secrets).
struct RequestId {
  bool trusted = true;  // whether a client's own id is kept

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
