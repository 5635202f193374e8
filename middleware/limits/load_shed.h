// LoadShed: keeps the queue of a server short when more comes than it can do.

#pragma once

#include <memory>

#include <escapement/io/http/service.h>

namespace escapement::http {

// The numbers of a LoadShed.
class LoadShedOptions {
 public:
  std::size_t running_max = 64;    // requests at a time; at least 1
  std::size_t waiting_max = 1024;  // beyond that: 503 at once
  Duration wait_max = 100ms;       // in a queue that was empty lately: 503 after that
  Duration target = 5ms;           // in one that was not
  Duration interval = 100ms;       // "lately"
  Duration retry_after = 1s;       // named in the 503, in whole seconds, rounded up; at least 1 s
};

// Lets `running_max` requests pass at a time, up to the end of their responses' bodies. Others wait, but only
// as long as that helps. A queue that is empty now and then absorbs a burst; one that is never empty only
// makes every response late by its length. So a request that comes when the queue has not been empty for
// `interval` waits for `target` at most, and is served before those that came earlier: their clients have
// waited for longest and are likely to leave. That is the controlled delay and the adaptive LIFO of
// Facebook's servers, after CoDel (RFC 8289).
//
// No request waits beyond its Request::deadline, and one whose deadline has passed is refused at once. A
// refused request gets 503 with Retry-After. Copies share the queue, which belongs to one reactor.
//
// Source: B. Maurer, "Fail at Scale", ACM Queue 2015.
class LoadShed {
 public:
  // Makes a queue that copies share.
  explicit LoadShed(LoadShedOptions options = LoadShedOptions());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the number of requests that have passed and are not over.
  std::size_t running() const;
  // Returns the number of requests in the queue.
  std::size_t waiting() const;
  // Returns the number of requests refused since the beginning.
  std::uint64_t refused() const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
