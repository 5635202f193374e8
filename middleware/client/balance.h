// Balance: shares the requests for one service among several upstreams.

#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/outlier_ejection.h>

namespace escapement::http {

// The rule by which an upstream is chosen.
enum class BalanceRule {
  least_loaded,  // the better of two that are drawn
  round_robin,   // one after the other
};

// The settings of a Balance.
class BalanceOptions {
 public:
  BalanceRule rule = BalanceRule::least_loaded;  // the choice
  Duration first_time = 1s;  // the response time of an upstream that has not responded yet
  Duration decay = 10s;      // after so long without a response a time counts for 1/e; above zero (checked)
  // Leaves out upstreams that fail. nullopt: none is left out.
  std::optional<OutlierEjectionOptions> ejection = OutlierEjectionOptions();
};

// Sends each request to one of the upstreams, which are URLs such as "http://10.0.0.1:8080": scheme, host and
// port of the request's URL are replaced, and a path is put in front of its own. Its Host field is removed,
// so the upstream's is sent. Upstreams share everything that the request carries, credentials too.
//
// `least_loaded` draws two upstreams and takes the one with the smaller load ("power of two choices"): its
// response time, up to the head, times one more than its requests in flight. Those count to the end of their
// bodies. The time is a peak EWMA: a longer one counts at once, a shorter one little by little, and it fades
// while nothing comes, so a slow upstream is tried again. A failure counts as `first_time`, if it came
// faster: one that refuses quickly does not attract more. A call that is given up before its response, by a
// Timeout or a Hedge outside, counts with the time that it has lasted, if that is longer than the upstream's:
// one that never responds attracts no more either. Draws come from Reactor::random, so a simulation
// repeats them.
//
//     const Service api = layered(Retry{}, Balance({*Url::parse("http://a:80"), *Url::parse("http://b:80")}),
//                                 client);
//
// Outside a Retry all attempts of a call would go to one upstream; put it inside. An attempt after another
// one of the same call (Request::attempt, of a Retry or a Hedge) then goes to another upstream than that, if
// one is not ejected. It knows the call by Request::progress, which a Timeout, a RetryBudget or a Tracer
// outside makes; without one by its method and URL, so of equal calls side by side one may avoid the upstream
// of the other. Copies share the state, which belongs to one reactor's thread. Sources: M. Mitzenmacher,
// 2001; Finagle's and tower's PeakEwma.
class Balance {
 public:
  // `upstreams` must not be empty (checked).
  explicit Balance(std::vector<Url> upstreams, BalanceOptions options = BalanceOptions());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the requests in flight at an upstream, by its place in the list.
  std::size_t running(std::size_t upstream) const;
  // Returns its response time at `now`, as it counts.
  Duration time(std::size_t upstream, Instant now) const;
  // Returns whether it is left out at `now`.
  bool ejected(std::size_t upstream, Instant now) const;

 private:
  class State;
  class InFlight;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
