// ConcurrencyLimit: limits the number of concurrent requests.

#pragma once

#include <memory>

#include <escapement/core/event.h>
#include <escapement/io/http/service.h>

namespace escapement::http {

// The numbers of a ConcurrencyLimit.
struct ConcurrencyLimits {
  std::size_t running_max = 64;      // requests at a time; at least 1
  std::size_t waiting_max = 256;     // beyond that: 503 at once
  Duration wait_max = Duration(1s);  // longer: 503. The client may have left by then (CoDel's lesson)
};

// Lets `running_max` requests pass at a time; others wait, first come, first served. A request counts until
// the body of its response has been sent or dropped, not only until its head. A refused request gets 503 with
// "Retry-After: 1". Copies share the count. The count belongs to one reactor, so this layer has no effect in
// a Worker, where each request has a reactor of its own.
class ConcurrencyLimit {
 public:
  // Makes a count that copies share.
  explicit ConcurrencyLimit(ConcurrencyLimits limits = ConcurrencyLimits());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the number of requests that have passed and are not over.
  std::size_t running() const;
  // Returns the number of requests in the queue.
  std::size_t waiting() const;

 private:
  struct State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
