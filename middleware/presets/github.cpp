#include <escapement/middleware/presets/github.h>

#include <escapement/middleware/client/base_url.h>
#include <escapement/middleware/client/bearer_auth.h>
#include <escapement/middleware/client/default_headers.h>
#include <escapement/middleware/client/github_limits.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

namespace escapement::http {

namespace {

// The layers that know no token.
Service limited(Service client, const GitHubOptions& options) {
  Retry retry;
  retry.attempts = options.attempts;
  retry.server_delay_max = options.limit_wait_max;
  retry.budget = options.budget;
  Service inner =
      layered(retry, GitHubQueue(options.queue), GitHubLimits{}, Timeout{options.attempt}, std::move(client));
  return options.cache ? options.cache(std::move(inner)) : inner;
}

}  // namespace

Service github(Service client, GitHubOptions options) {
  Result<Url> base = Url::parse(options.base);
  ESC_CHECK(base, "GitHubOptions::base is no URL");
  const DefaultHeaders usual{Headers{{"User-Agent", options.user_agent},
                                     {"Accept", "application/vnd.github+json"},
                                     {"X-GitHub-Api-Version", "2022-11-28"}}};
  Service inner = limited(std::move(client), options);
  if (options.get_token) {
    BearerAuthOptions token;
    token.get_token = options.get_token;
    token.origin = base->origin();
    inner = layered(BearerAuth(std::move(token)), std::move(inner));
  }
  return layered(Timeout{options.overall}, BaseUrl{*base}, usual, Redirect{}, std::move(inner));
}

}  // namespace escapement::http
