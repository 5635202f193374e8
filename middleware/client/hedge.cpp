#include <escapement/middleware/client/hedge.h>

#include <algorithm>

#include <escapement/core/join_set.h>
#include <escapement/io/http/progress.h>
#include <escapement/middleware/client/call_budget.h>
#include <escapement/middleware/client/detail/whole_copy.h>
#include <escapement/middleware/client/retry_policy.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

// The attempts of one call.
class Attempts {
 public:
  // `budget` pays for the attempts after the first, if it is not null.
  Attempts(Reactor& reactor, const Hedge& hedge, const RetryBudget* budget, Request request,
           const Service& next)
      : reactor_(reactor),
        hedge_(hedge),
        budget_(budget),
        request_(std::move(request)),
        next_(next),
        running_(reactor) {}

  bool may_start() const { return !stopped_ && started_ < std::max(1, hedge_.attempts); }
  // Returns whether one more may start. It is paid for then.
  bool pay() {
    if (!may_start()) return false;
    stopped_ = started_ > 0 && budget_ != nullptr && !budget_->withdraw(reactor_.now());
    return !stopped_;
  }
  // Starts one more, which was paid for.
  void start() {
    request_.attempt = ++started_;
    running_.spawn(next_(attempt()));
  }
  // Waits for an outcome, or until it is time for the next attempt: nothing then.
  Task<std::optional<Result<Response>>> outcome() {
    const Duration limit = may_start() ? std::max(Duration(), hedge_.delay) : Duration::max();
    Result<std::optional<Result<Response>>> next = co_await with_timeout(limit, running_.next()).result();
    if (!next) co_return std::nullopt;
    co_return *std::move(next);
  }
  // Returns whether an outcome is the call's; if not, whether more attempts may follow is decided too.
  bool settles(const Result<Response>& outcome) {
    const Attempt attempt = outcome ? Attempt(*outcome) : Attempt(outcome.error());
    const RetryDecision decision = decide(true, attempt, reactor_.backend().system_now());
    if (!decision.again) return true;
    if (decision.server_delay && *decision.server_delay > Duration()) stopped_ = true;
    if (decision.backoff_min > Duration()) stopped_ = true;
    return over();
  }
  // Returns whether no outcome will follow.
  bool over() { return running_.empty() && !may_start(); }
  // Drops the outcomes that came beside the one that counts: nobody has to hear of their failures.
  void forget_others() {
    while (running_.try_next()) {
    }
  }

 private:
  // Each has a progress of its own: a Timeout inside asks how long it has waited in a queue, and whether any
  // of it was sent.
  Request attempt() {
    Request copy = detail::whole_copy(request_);
    if (!request_.progress) return copy;
    request_.progress->attempt = started_;
    copy.progress = std::make_shared<CallProgress>();
    copy.progress->attempt = started_;
    copy.progress->whole = request_.progress;
    return copy;
  }

  Reactor& reactor_;
  const Hedge& hedge_;
  const RetryBudget* budget_;
  Request request_;
  const Service& next_;
  int started_ = 0;
  bool stopped_ = false;
  JoinSet<Response> running_;
};

}  // namespace

Task<Response> Hedge::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const bool repeatable = repeat_any_method || idempotent(request.method, request.headers);
  if (!repeatable || !request.body.replayable()) co_return co_await next(std::move(request));
  std::shared_ptr<const void> paid;
  const RetryBudget* const paying = budget ? &*budget : budget_of_call(reactor);
  if (budget && request.progress) {
    paid = budget->pay_for(request, reactor.now());
  } else if (budget) {
    budget->deposit(reactor.now());  // nobody outside has paid
  }
  Attempts all(reactor, *this, paying, std::move(request), next);
  all.start();
  std::optional<Result<Response>> last;
  for (;;) {
    std::optional<Result<Response>> outcome = co_await all.outcome();
    const bool settled = outcome && all.settles(*outcome);
    if (outcome) last = std::move(outcome);
    if (settled) break;
    const bool more = all.pay();
    if (last && !more && all.over()) break;
    last.reset();  // a later one will count: the failed response must not hold what that may wait for
    if (more) all.start();
  }
  all.forget_others();
  co_return *std::move(last);
}

}  // namespace escapement::http
