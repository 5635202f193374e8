#include <escapement/middleware/client/fallback.h>

#include <escapement/middleware/client/detail/whole_copy.h>

namespace escapement::http {

namespace {

bool is_failure(const Attempt& attempt) {
  if (const Error* const error = attempt.error()) {
    return error->code() != Errc::cancelled && error->code() != Errc::invalid_argument;
  }
  return attempt.response()->status >= 500;
}

}  // namespace

Task<Response> Fallback::operator()(Request request, const Service& next) const {
  if (!request.body.replayable()) co_return co_await next(std::move(request));
  Request again = detail::whole_copy(request);
  again.context = request.context;
  Result<Response> outcome = co_await next(std::move(request)).result();
  const Attempt attempt = outcome ? Attempt(*outcome) : Attempt(outcome.error());
  if (!(failed ? failed(attempt) : is_failure(attempt))) co_return std::move(outcome);
  const bool nothing_sent = !outcome && !outcome.error().maybe_sent();
  if (!any_method && !nothing_sent && !idempotent(again.method, again.headers)) co_return std::move(outcome);
  outcome = Error::cancelled();  // destroys the failed response's body
  co_return co_await service(std::move(again));
}

}  // namespace escapement::http
