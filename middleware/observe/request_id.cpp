#include <escapement/middleware/observe/request_id.h>

#include <escapement/middleware/observe/detail/random_id.h>

namespace escapement::http {

namespace {

constexpr std::string_view field = "X-Request-Id";

bool is_fine(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=:") ==
             id.npos;
}

}  // namespace

Task<Response> RequestId::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  std::string id(request.headers.get_or(field, ""));
  if (!trusted || !is_fine(id) || request.headers.count(field) > 1) {
    id = detail::random_id(reactor.random());
    request.headers.set(field, id);
  }
  Response response = co_await next(std::move(request));
  response.headers.set(field, id);
  co_return std::move(response);
}

}  // namespace escapement::http
