#include <escapement/middleware/client/https_only.h>

#include <utility>

namespace escapement::http {

Task<Response> HttpsOnly::operator()(Request request, const Service& next) const {
  if (request.url.scheme() != "https") {
    const std::string origin = request.url.origin();
    co_return Error(Errc::invalid_argument, "only https is allowed here: " + origin)
        .because(Fault::https_only)
        .with_peer(origin)
        .nothing_sent();
  }
  Task<Response> answering = next(std::move(request));
  co_return co_await std::move(answering);
}

}  // namespace escapement::http
