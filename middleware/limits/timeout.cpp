#include <escapement/middleware/limits/timeout.h>

#include <algorithm>

#include <escapement/core/detail/defer.h>
#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/io/http/progress.h>
#include <escapement/timers/entry.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

// Adds to `error` all that is known of the call that it ended.
Error described(Error error, const std::string& peer, const CallProgress& progress) {
  error = std::move(error).context(peer).with_peer(peer).in_attempt(progress.attempt);
  if (progress.reported && !progress.maybe_sent) error.nothing_sent();
  const std::string_view what = doing(progress.waits_for);
  if (what.empty()) return error;
  return std::move(error).remark("it was " + std::string(what));
}

// Returns how long the call that reports to `progress` has waited in a queue.
Duration time_in_queue(const CallProgress& progress, Instant now) {
  const bool waits = progress.queued_since != Instant::never();
  return progress.queued + (waits ? now - progress.queued_since : Duration());
}

// Runs one attempt for as long as `limit`, not counting the time in which it waits in a queue.
Task<Response> attempt(Duration limit, Task<Response> task, CallProgress& progress) {
  escapement::detail::PromiseBase& self = co_await escapement::detail::this_task;
  Reactor& reactor = self.reactor();
  limit = std::max(limit, Duration());
  progress.queued = Duration();
  progress.queued_since = Instant::never();
  const Instant began = reactor.precise_now();
  escapement::detail::ChildTask<Response> call(std::move(task));
  call.start(reactor, self);
  TimerEntry timer;
  Instant now = began;
  while (!call.finished()) {
    if (!timer.armed()) {
      const Instant deadline = began + limit + time_in_queue(progress, now);
      if (deadline <= now && now != began) break;
      if (deadline != Instant::never()) timer.arm(reactor.timers(), deadline, self);
    }
    co_await escapement::detail::until_one_is_ready(call);
    if (!timer.armed()) now = reactor.precise_now();
  }
  if (!call.finished()) {
    call.cancel();
    const Duration elapsed = now - began - time_in_queue(progress, now);
    co_await escapement::detail::timeout_error({TimeLimit::per_try, "no response"}, limit, elapsed);
  }
  Result<Response> outcome = call.take();
  co_return co_await std::move(outcome);
}

}  // namespace

Task<Response> Timeout::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  request.deadline = std::min(request.deadline, reactor.precise_now() + limit);
  if (!request.progress) request.progress = std::make_shared<CallProgress>();
  const std::shared_ptr<CallProgress> progress = request.progress;
  progress->attempt = request.attempt;
  const std::string peer = request.url.origin();
  const TimeLimit which = request.attempt > 0 ? TimeLimit::per_try : TimeLimit::overall;
  // Reset the progress, so that it counts only bytes sent within this layer; the earlier ones are added at
  // the end.
  const bool reported = std::exchange(progress->reported, false);
  const bool maybe_sent = std::exchange(progress->maybe_sent, false);
  const Defer add([&progress = *progress, reported, maybe_sent] {
    progress.reported |= reported;
    progress.maybe_sent |= maybe_sent;
  });
  Task<Response> call = next(std::move(request));
  Task<Response> timed = which == TimeLimit::per_try
                             ? attempt(limit, std::move(call), *progress)
                             : escapement::detail::within(limit, {which, "no response"}, std::move(call));
  Result<Response> outcome = co_await std::move(timed).result();
  const bool ours = !outcome && outcome.error().limit() == which && outcome.error().peer().empty();
  if (!ours) co_return std::move(outcome);
  co_return described(std::move(outcome).error(), peer, *progress);
}

}  // namespace escapement::http
