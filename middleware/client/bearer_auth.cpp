#include <escapement/middleware/client/bearer_auth.h>

#include <escapement/core/mutex.h>
#include <escapement/middleware/client/detail/whole_copy.h>

namespace escapement::http {

class BearerAuth::State {
 public:
  explicit State(BearerAuthOptions options) : options_(std::move(options)) {
    ESC_CHECK(options_.get_token, "BearerAuthOptions::get_token is not set");
    ESC_CHECK(!options_.origin.empty(), "BearerAuthOptions::origin is not set");
  }

  bool applies_to(const Request& request) const { return request.url.origin() == options_.origin; }
  std::string credentials(const std::string& token) const { return options_.scheme + ' ' + token; }

  // Returns the token; gets one if there is none, or if there is still `refused`.
  Task<std::string> token(std::string refused) {
    Mutex::Guard guard = co_await getting_.lock();
    if (!token_.empty() && token_ != refused) co_return token_;
    token_.clear();
    token_ = co_await options_.get_token();
    co_return token_;
  }

 private:
  BearerAuthOptions options_;
  Mutex getting_;
  std::string token_;
};

BearerAuth::BearerAuth(BearerAuthOptions options) : state_(std::make_shared<State>(std::move(options))) {}

Task<Response> BearerAuth::operator()(Request request, const Service& next) const {
  const std::shared_ptr<State> state = state_;
  if (!state->applies_to(request)) co_return co_await next(std::move(request));
  std::string token = co_await state->token(std::string());
  std::optional<Request> again;
  if (request.body.replayable()) {
    again.emplace(detail::whole_copy(request));
    again->context = request.context;
  }
  request.headers.set("Authorization", state->credentials(token));
  Result<Response> outcome = co_await next(std::move(request)).result();
  if (!outcome || outcome->status != 401 || !again) co_return std::move(outcome);
  outcome = Error::cancelled();  // destroys the refusal's body
  std::string fresh = co_await state->token(std::move(token));
  again->headers.set("Authorization", state->credentials(fresh));
  co_return co_await next(*std::move(again));
}

}  // namespace escapement::http
