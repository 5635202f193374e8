#include <escapement/middleware/client/github_limits.h>

#include <algorithm>

#include <escapement/core/detail/ascii.h>
#include <escapement/middleware/client/detail/begun_body.h>
#include <escapement/middleware/client/retry_policy.h>

namespace escapement::http {

namespace {

bool contains(std::string_view text, std::string_view lower_case) {
  const auto same = [](char in_text, char wanted) { return lower(in_text) == wanted; };
  return std::search(text.begin(), text.end(), lower_case.begin(), lower_case.end(), same) != text.end();
}

bool is_secondary(std::string_view body) {
  return contains(body, "secondary rate") || contains(body, "secondary-rate-limits\"");
}

// Returns whether GraphQL's errors have this type. The text is searched without the white space that a
// formatter may put into it.
bool says_rate_limited(std::string_view body) {
  std::string dense;
  for (const char c : body) {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') dense += c;
  }
  return dense.find("\"errors\":[") != dense.npos && dense.find("\"type\":\"RATE_LIMITED\"") != dense.npos;
}

bool may_be_secondary(const Response& response) {
  if (response.status != 403 && response.status != 429) return false;
  return !response.headers.has("retry-after") && response.headers.get_or("x-ratelimit-remaining", "") != "0";
}

}  // namespace

Task<Response> GitHubLimits::operator()(Request request, const Service& next) const {
  const bool graphql = request.method == Method::post() && request.url.path().ends_with("/graphql");
  const int attempt = std::max(request.attempt, 1);
  Response response = co_await next(std::move(request));
  const bool asks_graphql = graphql && response.status == 200;
  if (!asks_graphql && !may_be_secondary(response)) co_return std::move(response);
  std::string beginning = co_await detail::peek(response.body, looked_at);
  if (asks_graphql) {
    if (says_rate_limited(beginning)) response.status = 429;
  } else if (is_secondary(beginning)) {
    const Duration longer = exponential_backoff(wait, Duration::max(), attempt - 1);
    const std::int64_t seconds = (longer + (Duration(1s) - Duration(1ns))) / Duration(1s);
    response.headers.set("Retry-After", std::to_string(seconds));
  }
  co_return std::move(response);
}

}  // namespace escapement::http
