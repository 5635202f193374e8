// BodyIdle: limits the wait for the next bytes of a response's body.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Fails the reading of a response's body with timed_out (TimeLimit::body) when it has waited `limit` for the
// next bytes. The clock runs only while somebody reads: a consumer that takes its time does not use it up.
// Bytes in memory are left alone. `Duration::max()` is no limit.
//
// A Client has such a limit of its own (ClientOptions::body_timeout); this one is for services that have
// none, or for one route.
struct BodyIdle {
  Duration limit;  // for each read

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
