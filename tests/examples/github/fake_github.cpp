#include "github/fake_github.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include <escapement/core/reactor.h>

#include "github/base64.h"
#include "github/fields.h"

namespace escapement::github {

namespace {

http::Response told(int status, const char* message, const char* url = "https://docs.github.com/rest") {
  return http::Response(status, http::Headers{{"Content-Type", "application/json; charset=utf-8"}},
                        http::json_text(Json{{"message", message}, {"documentation_url", url}}));
}

constexpr const char* failed =
    R"({"data": null, "errors": [{"message": "Something went wrong while executing your query."}]})";
constexpr const char* refused = "none";
constexpr const char* exceeded = R"({"message": "API rate limit exceeded for user ID 1."})";

bool is_app_token(std::string_view authorization, SystemTime now) {
  if (!authorization.starts_with("Bearer ")) return false;
  authorization.remove_prefix(7);
  const std::size_t first = authorization.find('.');
  const std::size_t second = authorization.find('.', first + 1);
  if (second == authorization.npos || second + 1 == authorization.size()) return false;
  const Result<Json> claims =
      http::parse_json(from_base64(authorization.substr(first + 1, second - first - 1)));
  if (!claims) return false;
  Fields fields(*claims);
  const std::int64_t seconds = now.unix_milliseconds() / 1000;
  const std::int64_t expires = fields.integer("exp");
  return fields.integer("iat") <= seconds && expires > seconds && expires <= seconds + 600;
}

}  // namespace

class FakeGitHub::State {
 public:
  explicit State(FakeGitHubOptions options) : options_(std::move(options)), random_(options_.seed) {}

  SystemTime now(Reactor& reactor) const { return reactor.backend().system_now() + options_.clock_ahead; }

  http::Response mint(const http::Request& request, SystemTime now) {
    if (!is_app_token(request.headers.get_or("Authorization", ""), now)) return told(401, "Bad credentials");
    token_ = "ghs_" + std::to_string(++log.minted);
    const Json json{{"token", token_}, {"expires_at", (now + 1h).rfc3339()}};
    return http::Response(201, http::json_text(json));
  }

  // Returns the response in place of the recorded one, if there is one.
  std::optional<http::Response> refusal(const http::Request& request, SystemTime now) {
    if (now < not_before_) {
      ++log.early;
      return told(403, "You have exceeded a secondary rate limit, and were told so.");
    }
    const bool has_token = request.headers.get_or("Authorization", "") == "Bearer " + token_;
    if (options_.wants_token && (token_.empty() || !has_token)) return told(401, "Bad credentials");
    if (request.url.path().ends_with("/rate_limit")) return rate_limit(now);
    const FakeFault fault = next_fault(request.method == http::Method::get());
    if (fault != FakeFault::none) return fault_response(fault, now);
    roll(now);
    if (used_ >= options_.quota) return used_up(403, exceeded, reset_, now);
    if (request.url.path().ends_with("/graphql")) {
      ++used_;
      ++log.counted;
      return http::Response(200, R"({"data": {"viewer": {"login": "octocat"}}})");
    }
    return std::nullopt;
  }

  // Counts a response, and says in it what is left.
  void finish(http::Response& response, std::string_view known, SystemTime now) {
    const bool same =
        !known.empty() && response.status == 200 && response.headers.get_or("ETag", "") == known;
    if (same) {
      ++log.not_modified;
      response = http::Response(304, http::Headers{{"ETag", known}}, http::Body());
    } else {
      ++used_;
      ++log.counted;
    }
    may_refuse_ = !token_.empty();
    add_limit(response, now);
  }

  // Notes when the client may come again.
  void note_wait(const http::Response& response, SystemTime now) {
    const std::string wait(response.headers.get_or("Retry-After", ""));
    if (!wait.empty()) not_before_ = std::max(not_before_, now + 1s * std::atoi(wait.c_str()));
  }

  FakeGitHubLog log;

 private:
  // Returns the planned fault, or draws one: but none after which a write may have been carried out, and no
  // second 401 before something has succeeded.
  FakeFault next_fault(bool reads) {
    if (next_ < options_.faults.size()) return options_.faults[next_++];
    if (static_cast<double>(random_.up_to(999'999)) >= 1e6 * options_.fault_share) return FakeFault::none;
    const auto fault =
        static_cast<FakeFault>(1 + random_.up_to(static_cast<std::uint64_t>(FakeFault::broken) - 1));
    const bool unclear = fault == FakeFault::bad_gateway || fault == FakeFault::broken;
    const bool refuses = fault == FakeFault::refused_token;
    if ((unclear && !reads) || (refuses && !may_refuse_)) return FakeFault::none;
    return fault;
  }

  void roll(SystemTime now) {
    if (now < reset_) return;
    reset_ = now + 1h;
    used_ = 0;
  }

  void add_limit(http::Response& response, SystemTime now) {
    roll(now);
    response.headers.set("Date", now.http_date());
    response.headers.set("X-RateLimit-Limit", std::to_string(options_.quota));
    response.headers.set("X-RateLimit-Remaining",
                         std::to_string(std::max<std::int64_t>(0, options_.quota - used_)));
    response.headers.set("X-RateLimit-Reset", std::to_string(reset_.unix_milliseconds() / 1000));
    response.headers.set("X-RateLimit-Resource", "core");
  }

  http::Response rate_limit(SystemTime now) {
    roll(now);
    const Json core{{"limit", options_.quota},
                    {"remaining", options_.quota - used_},
                    {"reset", reset_.unix_milliseconds() / 1000}};
    return http::Response(200, http::json_text(Json{{"resources", {{"core", core}}}}));
  }

  http::Response used_up(int status, const char* body, SystemTime at, SystemTime now) {
    const std::int64_t reset = at.unix_milliseconds() / 1000;
    not_before_ = SystemTime::from_unix_milliseconds(reset * 1000);
    return http::Response(status,
                          http::Headers{{"Date", now.http_date()},
                                        {"X-RateLimit-Remaining", "0"},
                                        {"X-RateLimit-Reset", std::to_string(reset)},
                                        {"X-RateLimit-Resource", "core"}},
                          body);
  }

  http::Response with_wait(http::Response response, SystemTime now) {
    response.headers.set("Date", now.http_date());
    response.headers.set("Retry-After", std::to_string(options_.wait / 1s));
    return response;
  }

  // Names a limit only in the body: GitHub then asks for a minute at least.
  http::Response minute(http::Response response, SystemTime now) {
    not_before_ = now + 60s;
    return response;
  }

  http::Response fault_response(FakeFault fault, SystemTime now) {
    const char* const secondary =
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    switch (fault) {
      case FakeFault::secondary_with_wait: return with_wait(told(403, secondary), now);
      case FakeFault::secondary_told: return minute(told(403, secondary), now);
      case FakeFault::secondary_by_url:
        return minute(told(403, "Slow down.",
                           "https://docs.github.com/rest/using-the-rest-api/"
                           "rate-limits-for-the-rest-api#about-secondary-rate-limits"),
                      now);
      case FakeFault::primary: return used_up(403, exceeded, now + options_.wait + 1s, now);
      case FakeFault::too_many: return with_wait(told(429, secondary), now);
      case FakeFault::refused_token:
        may_refuse_ = false;
        token_ = refused;
        return told(401, "Bad credentials");
      case FakeFault::bad_gateway: return http::Response(502, "<html>502</html>");
      case FakeFault::unavailable_for_wait: return with_wait(told(503, "Unavailable"), now);
      case FakeFault::graphql_limit:
        return used_up(200, R"({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]})",
                       now + options_.wait + 1s, now);
      case FakeFault::graphql_failure: return http::Response(200, failed);
      case FakeFault::broken:
      case FakeFault::none: break;
    }
    return http::Response(599);  // `broken`: not sent
  }

  FakeGitHubOptions options_;
  Random random_;
  std::size_t next_ = 0;
  std::string token_;  // that was minted last; `refused` once it is not accepted any more
  bool may_refuse_ = false;
  std::int64_t used_ = 0;
  SystemTime reset_;
  SystemTime not_before_;
};

FakeGitHub::FakeGitHub(FakeGitHubOptions options) : state_(std::make_shared<State>(std::move(options))) {}

const FakeGitHubLog& FakeGitHub::log() const { return state_->log; }

std::string FakeGitHub::summary() const {
  const FakeGitHubLog& log = state_->log;
  return std::to_string(log.requests) + " requests, " + std::to_string(log.counted) + " counted, " +
         std::to_string(log.not_modified) + " of 304, " + std::to_string(log.minted) + " minted, " +
         std::to_string(log.early) + " early";
}

Task<http::Response> FakeGitHub::operator()(http::Request request, const http::Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<State> state = state_;
  const SystemTime now = state->now(reactor);
  ++state->log.requests;
  std::string line = std::string(request.method.text()) + ' ' + request.url.target();
  if (request.url.path().find("/app/installations/") != std::string::npos)
    co_return state->mint(request, now);
  std::optional<http::Response> refusal = state->refusal(request, now);
  if (refusal) {
    state->log.lines.push_back(line + ' ' + std::to_string(refusal->status));
    if (refusal->status == 599) co_return Error(Errc::reset, "broken on purpose");
    state->note_wait(*refusal, now);
    co_return *std::move(refusal);
  }
  const std::string known(request.headers.get_or("If-None-Match", ""));
  http::Response response = co_await next(std::move(request));
  state->finish(response, known, now);
  state->note_wait(response, now);
  state->log.lines.push_back(line + ' ' + std::to_string(response.status));
  co_return std::move(response);
}

}  // namespace escapement::github
