// ConcurrencyLimit: at most so many requests at once.

#pragma once

#include <memory>

#include <escapement/core/event.h>
#include <escapement/io/http/service.h>

namespace escapement::http {

struct ConcurrencyLimits {
  std::size_t running_max = 64;
  std::size_t waiting_max = 256;     // more: 503 at once
  Duration wait_max = Duration(1s);  // longer: 503. Whoever waited that long may have left (CoDel's lesson)
};

// Lets `running_max` requests pass at a time, and lets others wait, first come, first served. A request
// counts until the body of its answer has been sent or given up, not only until its head. A refused one gets
// 503 with "Retry-After: 1". Copies share the count; it belongs to one reactor, so it is nothing for a
// Worker, where each request has its own.
class ConcurrencyLimit {
 public:
  explicit ConcurrencyLimit(ConcurrencyLimits limits = ConcurrencyLimits());

  Task<Response> operator()(Request request, const Service& next) const;

  std::size_t running() const;
  std::size_t waiting() const;

 private:
  struct State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
