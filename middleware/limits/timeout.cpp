#include <escapement/middleware/limits/timeout.h>

#include <algorithm>

#include <escapement/core/detail/defer.h>
#include <escapement/io/http/progress.h>
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
  Result<Response> outcome =
      co_await escapement::detail::within(limit, {which, "no response"}, next(std::move(request))).result();
  const bool ours = !outcome && outcome.error().limit() == which && outcome.error().peer().empty();
  if (!ours) co_return std::move(outcome);
  co_return described(std::move(outcome).error(), peer, *progress);
}

}  // namespace escapement::http
