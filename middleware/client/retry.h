// Retry: repeats a request after a failure that may be temporary.

#pragma once

#include <functional>
#include <optional>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/backoff.h>
#include <escapement/middleware/client/layer_order.h>
#include <escapement/middleware/client/retry_budget.h>
#include <escapement/middleware/client/retry_policy.h>

namespace escapement::http {

// The way in which the wait between two attempts is drawn.
enum class Jitter {
  full,  // draws the delay from [0, delay]: spreads clients that failed together
  none,  // waits the full delay
};

// Passed to a Retry's observer before each wait.
struct RetryNotice {
  const Attempt& attempt;  // the outcome of the last attempt
  int attempts_made;       // 1 after the first attempt
  Duration delay;          // the wait that follows
};

// Makes up to `attempts` attempts. The table in retry_policy.h says which outcomes are retried and who sets
// the delay: exponential backoff with full jitter, unless the server names a delay.
//
// Never sends less than the whole request: a streaming body cannot be sent twice, so once an attempt has
// begun to send it there is no other one, and the failure says so. Before another attempt the rest of a
// response is read if it has come already and is at most 2 KiB, so that its connection can be used again.
//
// Waits neither past the caller's deadline (Request::deadline, set by an enclosing Timeout) nor longer than
// `server_delay_max`: the last outcome is then returned at once, so a delay that the server named is never
// cut short. So it is when the budget, if there is one, allows no further attempt. The result is the outcome
// of the last attempt, whatever it is. Case by case: docs/retries.md.
struct Retry {
  static constexpr LayerRole role = LayerRole::retry;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  int attempts = 3;              // the first one included
  Duration backoff = 100ms;      // the first delay; each one after it is twice as long
  Duration backoff_max = 20s;    // the longest delay, unless the server names one
  Jitter jitter = Jitter::full;  // spreads clients that failed together
  // Takes the place of the three above. Null: they count. Must outlive the calls. (backoff.h has the rules of
  // other clients.)
  const BackoffRule* delays = nullptr;
  Duration server_delay_max = 60s;  // a server that names a longer one gets no further attempt
  // Treats every request as idempotent: the caller knows that sending twice does no harm.
  bool repeat_any_method = false;
  // The source of the jitter; null: the reactor's generator. Must outlive the calls.
  Random* random = nullptr;
  // Limits the retries of all layers that share it. None: the one that travels with the call
  // (call_budget.h), and without that only `attempts`.
  std::optional<RetryBudget> budget = {};
  // Called before each wait. May be empty.
  std::function<void(const RetryNotice&)> observer = {};

  // Returns a Retry with delays of exactly 100, 200, 400, ... 6400, 6400 ms.
  static Retry doubling(int attempts) {
    Retry retry;
    retry.attempts = attempts;
    retry.backoff_max = 6400ms;
    retry.jitter = Jitter::none;
    return retry;
  }

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the wait before the retry that `state` names, after such a decision; nothing if the server asks
  // for a longer one than `server_delay_max`. For layers that retry in ways of their own.
  std::optional<Duration> delay_after(const RetryDecision& decision, BackoffState& state,
                                      Random& drawn_from) const;
};

}  // namespace escapement::http
