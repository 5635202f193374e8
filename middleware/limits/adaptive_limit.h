// AdaptiveLimit: finds the number of concurrent requests that a service can bear.

#pragma once

#include <functional>
#include <memory>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/retry_policy.h>

namespace escapement::http {

// The rule by which the limit moves.
enum class AdaptiveRule {
  aimd,      // up by one little by little, down by a factor after failures and slow responses
  gradient,  // by how response times change
};

// The numbers of an AdaptiveLimit.
class AdaptiveLimitOptions {
 public:
  AdaptiveRule rule = AdaptiveRule::aimd;  // how the limit moves
  std::size_t first = 20;                  // the limit to begin with, between the two below
  std::size_t least = 1;                   // at least 1
  std::size_t most = 1000;                 // at least `least`
  Duration slow = 1s;      // aimd: a response that takes longer, up to its head, says that there are too many
  double decrease = 0.9;   // the factor after a failure or a slow response, above 0 and below 1 (checked)
  double tolerance = 1.5;  // gradient: times so much longer than usual are no queue yet; at least 1 (checked)
  std::size_t waiting_max = 256;  // beyond that: 503 at once
  Duration wait_max = 1s;         // longer in the queue: 503
  // Says whether an outcome means that there are too many. Empty: timed_out, overloaded, unavailable, or a
  // status of 429 or 503.
  std::function<bool(const Attempt&)> overloaded = {};
};

// A ConcurrencyLimit that moves: additive increase, multiplicative decrease (AIMD), as TCP does it. Each good
// response that came while at least half of the limit was used raises the limit by 1 / limit, so by one for
// each `limit` responses. Each failure or slow response lowers it to `decrease` times its value, but one time
// only for all the calls that ran together: those that began before the last decrease do not lower it again.
// A call that its caller gives up changes nothing.
//
// The other rule, the gradient, needs no time that is slow: it compares each good response's time with a long
// average of them. As long as it is at most `tolerance` times that, the limit grows, by up to 4 for each
// response, a fifth of that at once; the longer it takes beyond that, the more the limit shrinks, to half of
// it at the most. The average follows times that fall at once, and those that rise over some 600 responses.
// Failures count as above.
//
// A permit is held up to the end of the response's body, as in ConcurrencyLimit, and refused requests get the
// same 503. Waiting requests are served first come, first served. Copies share the limit, which belongs to
// one reactor.
//
// Sources: D.-M. Chiu, R. Jain, 1989 (AIMD); Netflix's concurrency-limits (Gradient2).
class AdaptiveLimit {
 public:
  // Makes a limit that copies share.
  explicit AdaptiveLimit(AdaptiveLimitOptions options = AdaptiveLimitOptions());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the present limit, rounded down.
  std::size_t limit() const;
  // Returns the number of requests that have passed and are not over.
  std::size_t running() const;
  // Returns the number of requests in the queue.
  std::size_t waiting() const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
