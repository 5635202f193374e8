#include <escapement/middleware/client/retry.h>

#include <escapement/middleware/client/detail/whole_copy.h>
#include <escapement/timers/sleep.h>

namespace escapement::http {

namespace {

Task<Response> only_attempt(Request request, const Service& next, bool idempotent) {
  request.attempt = 1;
  Result<Response> outcome = co_await next(std::move(request)).result();
  if (outcome) co_return std::move(outcome);
  Reactor& reactor = co_await this_reactor;
  const RetryDecision decision = decide(idempotent, Attempt(outcome.error()), reactor.backend().system_now());
  if (!decision.again) co_return std::move(outcome);
  co_return std::move(outcome).error().context(
      "not retried, because the streaming body cannot be sent twice");
}

}  // namespace

// Returns no delay when the server asks for a longer wait than this layer allows.
std::optional<Duration> Retry::delay_after(const RetryDecision& decision, int retry,
                                           Random& drawn_from) const {
  if (decision.server_delay) {
    if (*decision.server_delay > server_delay_max) return std::nullopt;
    return positive_jitter(*decision.server_delay, drawn_from);
  }
  if (decision.backoff_min > Duration()) {
    if (decision.backoff_min > server_delay_max) return std::nullopt;
    return positive_jitter(exponential_backoff(decision.backoff_min, server_delay_max, retry), drawn_from);
  }
  const Duration delay = exponential_backoff(backoff, backoff_max, retry);
  return jitter == Jitter::full ? full_jitter(delay, drawn_from) : delay;
}

Task<Response> Retry::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const bool repeatable = repeat_any_method || idempotent(request.method, request.headers);
  if (!request.body.replayable()) co_return co_await only_attempt(std::move(request), next, repeatable);
  Random& drawn_from = random != nullptr ? *random : reactor.random();
  if (budget) budget->deposit(reactor.now());
  for (int made = 1;; ++made) {
    request.attempt = made;
    Result<Response> outcome = co_await next(detail::whole_copy(request)).result();
    if (made >= attempts) co_return std::move(outcome);
    const Attempt attempt = outcome ? Attempt(*outcome) : Attempt(outcome.error());
    const RetryDecision decision = decide(repeatable, attempt, reactor.backend().system_now());
    if (!decision.again) co_return std::move(outcome);
    const std::optional<Duration> delay = delay_after(decision, made - 1, drawn_from);
    if (!delay || reactor.precise_now() + *delay >= request.deadline) co_return std::move(outcome);
    if (budget && !budget->withdraw(reactor.now())) co_return std::move(outcome);
    if (observer) observer(RetryNotice{attempt, made, *delay});
    outcome = Error::cancelled();  // destroys the failed response's body before the wait
    co_await sleep(*delay);
  }
}

}  // namespace escapement::http
