// BodyDeadline: limits the time that a response's body may take in all.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Fails the reading of a response's body with timed_out (TimeLimit::body) when `limit` has passed since its
// head came and the end has not been read, also if the consumer was the slow one. Bytes in memory are left
// alone. `Duration::max()` is no limit.
struct BodyDeadline {
  Duration limit;  // from the head to the end of the body

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
