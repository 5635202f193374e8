#include <escapement/middleware/limits/body_idle.h>

#include <escapement/middleware/limits/detail/timed_body.h>

namespace escapement::http {

Task<Response> BodyIdle::operator()(Request request, const Service& next) const {
  Response response = co_await next(std::move(request));
  if (!response.body.replayable() && limit != Duration::max()) {
    response.body = detail::timed_body(std::move(response.body), limit, Instant::never());
  }
  co_return std::move(response);
}

}  // namespace escapement::http
