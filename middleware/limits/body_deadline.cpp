#include <escapement/middleware/limits/body_deadline.h>

#include <escapement/middleware/limits/detail/timed_body.h>

namespace escapement::http {

Task<Response> BodyDeadline::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  Response response = co_await next(std::move(request));
  if (!response.body.replayable() && limit != Duration::max()) {
    response.body = detail::timed_body(std::move(response.body), limit, reactor.precise_now());
  }
  co_return std::move(response);
}

}  // namespace escapement::http
