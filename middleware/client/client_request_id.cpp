#include <escapement/middleware/client/client_request_id.h>

#include <escapement/middleware/observe/detail/random_id.h>

namespace escapement::http {

namespace {

Task<Response> send_with_id(const std::string& field, Request request, const Service& next) {
  Reactor& reactor = co_await this_reactor;
  request.headers.set(field, detail::random_id(reactor.random()));
  co_return co_await next(std::move(request));
}

}  // namespace

Task<Response> ClientRequestId::operator()(Request request, const Service& next) const {
  if (request.headers.has(field)) return next(std::move(request));
  return send_with_id(field, std::move(request), next);
}

}  // namespace escapement::http
