#include <escapement/middleware/limits/deadline.h>

#include <algorithm>

#include <escapement/middleware/limits/detail/timed_body.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

Task<Response> Deadline::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.precise_now();
  const bool inherited = request.deadline < began + limit;
  const Duration left = inherited ? request.deadline - began : limit;
  if (inherited && left <= Duration()) {
    Error passed =
        escapement::detail::timeout_error({TimeLimit::overall, "nothing"}, Duration(), Duration() - left);
    co_return std::move(passed)
        .context("the deadline had passed before the call")
        .with_peer(request.url.origin())
        .nothing_sent();
  }
  const Timeout until_head{left};
  Response response = co_await until_head(std::move(request), next);
  if (!response.body.replayable() && left != Duration::max()) {
    response.body = detail::timed_body(std::move(response.body), left, began, TimeLimit::overall);
  }
  co_return std::move(response);
}

}  // namespace escapement::http
