// The loop of Retry, with hooks for an observer that wants to know why: so Retry itself has no code for them.

#pragma once

#include <memory>
#include <optional>

#include <escapement/middleware/client/call_budget.h>
#include <escapement/middleware/client/detail/drain.h>
#include <escapement/middleware/client/detail/lent_body.h>
#include <escapement/middleware/client/detail/whole_copy.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/timers/sleep.h>

namespace escapement::http::detail {

// The reason for which no further attempt follows.
enum class RetryStop {
  not_temporary,     // another attempt would not help, or might do twice what was asked once
  attempts_used_up,  // Retry::attempts were made
  body_begun,        // the streaming body cannot be sent twice
  wait_too_long,     // the server named a wait above Retry::server_delay_max
  past_deadline,     // the wait would end after the caller's deadline
  no_budget,         // RetryBudget allows none
};

// Hooks that do nothing. `stops` hears why there is no further attempt, `waits` of each wait.
class NoRetryHooks {
 public:
  void stops(const Attempt&, int, RetryStop) {}
  void waits(const Attempt&, int, Duration) {}
};

template <class Hooks>
Task<Response> retry_loop(const Retry& settings, Request request, const Service& next, Hooks hooks) {
  Reactor& reactor = co_await this_reactor;
  const bool repeatable = settings.repeat_any_method || idempotent(request.method, request.headers);
  Random& drawn_from = settings.random != nullptr ? *settings.random : reactor.random();
  const RetryBudget* const budget = settings.budget ? &*settings.budget : budget_of_call(reactor);
  std::shared_ptr<const void> paid;
  if (settings.budget) paid = settings.budget->pay_for(request, reactor.now());
  std::optional<LentBody> streamed;
  if (!request.body.replayable()) streamed.emplace(std::exchange(request.body, Body()));
  BackoffState waits;
  for (int made = 1;; ++made) {
    request.attempt = made;
    Request sent = request.copy_without_body();
    sent.context = request.context;
    sent.body = streamed ? streamed->lend() : request.body.copy();
    Result<Response> outcome = co_await next(std::move(sent)).result();
    const Attempt attempt = outcome ? Attempt(*outcome) : Attempt(outcome.error());
    const RetryDecision decision = decide(repeatable, attempt, reactor.backend().system_now());
    std::optional<RetryStop> stop;
    std::optional<Duration> delay;
    if (!decision.again) {
      stop = RetryStop::not_temporary;
    } else if (streamed && streamed->begun()) {
      stop = RetryStop::body_begun;
    } else if (made >= settings.attempts) {
      stop = RetryStop::attempts_used_up;
    } else if (delay = settings.delay_after(decision, waits, drawn_from); !delay) {
      stop = RetryStop::wait_too_long;
    } else if (reactor.precise_now() + *delay >= request.deadline) {
      stop = RetryStop::past_deadline;
    } else if (budget != nullptr && !budget->withdraw(reactor.now())) {
      stop = RetryStop::no_budget;
    }
    if (stop) {
      hooks.stops(attempt, made, *stop);
      if (*stop != RetryStop::body_begun || outcome) co_return std::move(outcome);
      co_return std::move(outcome).error().context(
          "not retried, because the streaming body cannot be sent twice");
    }
    hooks.waits(attempt, made, *delay);
    if (settings.observer) settings.observer(RetryNotice{attempt, made, *delay});
    if (outcome && worth_draining(outcome->body)) co_await drain(std::move(outcome->body));
    outcome = Error::cancelled();  // destroys the failed response before the wait
    ++waits.retry;
    waits.previous = *delay;
    co_await sleep(*delay);
  }
}

}  // namespace escapement::http::detail
