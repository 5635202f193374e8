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

// Returns the status that GraphQL's errors stand for; 200 if there are none of those that pass. The text is
// searched without the white space that a formatter may put into it. A quote in a text is escaped, so what is
// found is a member; a message may also be one of the data, so it counts only among the errors.
int status_in_graphql(std::string_view body) {
  std::string dense;
  for (const char c : body) {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') dense += c;
  }
  const std::size_t errors = dense.find("\"errors\":[");
  if (errors == dense.npos) return 200;
  if (dense.find("\"type\":\"RATE_LIMITED\"") != dense.npos) return 429;
  constexpr std::string_view failed = "\"message\":\"Somethingwentwrongwhileexecutingyourquery";
  return dense.find(failed, errors) != dense.npos ? 500 : 200;
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
    response.status = status_in_graphql(beginning);
  } else if (is_secondary(beginning)) {
    const Duration longer = exponential_backoff(wait, Duration::max(), attempt - 1);
    const std::int64_t seconds = (longer + (Duration(1s) - Duration(1ns))) / Duration(1s);
    response.headers.set("Retry-After", std::to_string(seconds));
  }
  co_return std::move(response);
}

}  // namespace escapement::http
