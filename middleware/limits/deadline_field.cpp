#include <escapement/middleware/limits/deadline_field.h>

#include <algorithm>

#include <escapement/core/detail/number.h>
#include <escapement/middleware/limits/detail/timed_body.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

// Returns the time that the field grants, at most `longest`.
Duration granted(const Headers& headers, const std::string& field, Duration longest) {
  if (headers.count(field) != 1) return longest;
  const auto milliseconds = parse_saturated<std::int64_t>(headers.get_or(field, ""));
  return milliseconds ? std::min(longest, Duration(1ms) * *milliseconds) : longest;
}

Response too_late() {
  return Response(504, Headers{{"Content-Type", "text/plain"}}, "the request's deadline has passed\n");
}

}  // namespace

Task<Response> SendDeadline::operator()(Request request, const Service& next) const {
  if (request.deadline != Instant::never()) {
    Reactor& reactor = co_await this_reactor;
    const Duration left = request.deadline - reactor.precise_now() - margin;
    if (left < Duration(1ms)) {
      Error late = escapement::detail::timeout_error({TimeLimit::overall, "too little is left"}, Duration(),
                                                     Duration());
      co_return std::move(late).with_peer(request.url.origin()).in_attempt(request.attempt).nothing_sent();
    }
    request.headers.set(field, std::to_string(left.count() / 1'000'000));
  }
  co_return co_await next(std::move(request));
}

Task<Response> TakeDeadline::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.precise_now();
  const Duration limit = granted(request.headers, field, longest);
  if (limit <= Duration()) co_return too_late();
  request.deadline = std::min(request.deadline, began + limit);
  const escapement::detail::LimitName name{TimeLimit::overall, "no response"};
  Task<Response> handling = escapement::detail::within(limit, name, next(std::move(request)), began);
  Result<Response> response = co_await std::move(handling).result();
  if (!response && response.error().limit() == TimeLimit::overall && response.error().peer().empty()) {
    co_return too_late();
  }
  if (!response) co_return std::move(response);
  if (!response->body.replayable() && limit != Duration::max()) {
    response->body = detail::timed_body(std::move(response->body), limit, began, TimeLimit::overall);
  }
  co_return std::move(response);
}

}  // namespace escapement::http
