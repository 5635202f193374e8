// DefaultHeaders: header fields for every request that does not set them itself.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Adds each of `headers` whose name the request does not have; never changes the request's own values. Inside
// a Redirect layer it acts on every hop: keep credentials out of it, or put it outside.
struct DefaultHeaders {
  Headers headers;  // added where a request has none of that name

  Task<Response> operator()(Request request, const Service& next) const {
    Headers missing;
    for (const Headers::Field& field : headers) {
      if (!request.headers.has(field.name)) missing.add(field.name, field.value);
    }
    for (const Headers::Field& field : missing) request.headers.add(field.name, field.value);
    return next(std::move(request));
  }
};

}  // namespace escapement::http
