#include <escapement/middleware/server/error_responses.h>

namespace escapement::http {

namespace {

int status_of(const Error& error) {
  switch (error.code()) {
    case Errc::timed_out: return 504;
    case Errc::unavailable: return 502;
    case Errc::overloaded: return 503;
    default: return 500;
  }
}

}  // namespace

Task<Response> ErrorResponses::operator()(Request request, const Service& next) const {
  Result<Response> outcome = co_await next(std::move(request)).result();
  if (outcome || outcome.error() == Errc::reset) co_return std::move(outcome);
  if (tell) tell(outcome.error());
  const int status = status_of(outcome.error());
  if (page) co_return page(status);
  co_return Response(status, Headers{{"Content-Type", "text/plain; charset=utf-8"}},
                     std::string(reason_phrase(status)) + '\n');
}

}  // namespace escapement::http
