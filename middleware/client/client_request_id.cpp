#include <escapement/middleware/client/client_request_id.h>

#include <escapement/middleware/observe/detail/random_id.h>

namespace escapement::http {

Task<Response> ClientRequestId::operator()(Request request, const Service& next) const {
  if (request.headers.has(field)) co_return co_await next(std::move(request));
  Reactor& reactor = co_await this_reactor;
  request.headers.set(field, detail::random_id(reactor.random()));
  co_return co_await next(std::move(request));
}

}  // namespace escapement::http
