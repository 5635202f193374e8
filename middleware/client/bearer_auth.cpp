#include <escapement/middleware/client/bearer_auth.h>

#include <algorithm>

#include <escapement/core/mutex.h>

namespace escapement::http {

class BearerAuth::State {
 public:
  explicit State(BearerAuthOptions options) : options_(std::move(options)) {
    ESC_CHECK(options_.get_token && "BearerAuthOptions::get_token is not set");
    ESC_CHECK(!options_.origin.empty() && "BearerAuthOptions::origin is not set");
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
    again.emplace(request.copy_without_body());
    again->body = request.body.copy();
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

Result<std::string> basic_credentials(std::string_view user, std::string_view password) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (user.find(':') != std::string_view::npos)
    return Error(Errc::invalid_argument, "a user must not have a colon");
  if (std::ranges::any_of(user, is_control) || std::ranges::any_of(password, is_control)) {
    return Error(Errc::invalid_argument, "credentials must not have control characters");
  }
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string pair = std::string(user) + ':' + std::string(password);
  std::string text = "Basic ";
  for (std::size_t at = 0; at < pair.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, pair.size() - at);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < count ? static_cast<unsigned char>(pair[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

}  // namespace escapement::http
