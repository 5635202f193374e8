// github: a client of GitHub's API, in one line.

#pragma once

#include <functional>
#include <string>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/github_queue.h>
#include <escapement/middleware/client/retry_budget.h>

namespace escapement::http {

// The settings of `github`.
class GitHubOptions {
 public:
  std::string base = "https://api.github.com";  // of GitHub Enterprise: "https://HOST/api/v3"
  // Gets a token; called first, and after a 401. Empty: requests go without, at 60 an hour.
  std::function<Task<std::string>()> get_token = {};
  std::string user_agent = "escapement";  // GitHub refuses requests without; name your program
  Duration overall = Duration::max();     // from the call to the response head, with all waits
  Duration attempt = 30s;                 // each attempt, to the response head
  Duration limit_wait_max = 1h;           // a limit that resets later is not waited for
  int attempts = 4;                       // of each hop, the first one included
  RetryBudget budget = RetryBudget();     // retries for a share of the calls
  GitHubQueueOptions queue = {};          // the limits that are kept without being told
  // Keeps responses, and asks with their ETag whether they have changed: etag_cache() (presets/cached.h). A
  // 304 counts for no primary limit. Empty: nothing is kept.
  std::function<Service(Service)> cache = {};
};

// Returns `client` with what GitHub's rules ask for around it. It is this stack, from the outside in:
//
//     Timeout{overall}           the caller waits no longer, whatever happens
//     BaseUrl{base}              requests name paths: http::relative("/repos/o/r")
//     DefaultHeaders             User-Agent, Accept, X-GitHub-Api-Version, where a request has none
//     Redirect{}                 301 of a renamed repository
//     BearerAuth{base's origin}  the token, to that origin only; a 401 gets a new one and one more request
//     cache                      if there is one: each token has responses of its own, and a 304 costs no
//     quota Retry{attempts}            the primary and the secondary limit are waited for, up to
//     `limit_wait_max` GitHubQueue{queue}         so many requests at once and a minute, one write a second,
//     and none while
//                                the primary limit is used up
//     GitHubLimits{}             a secondary limit that stands only in the body; GraphQL's RATE_LIMITED
//     Timeout{attempt}           an attempt that hangs makes room for another one
//
// Copies share the token, the budget and the counts. Belongs to one reactor's thread. A base that is no URL
// ends the program (checked).
//
//     http::GitHubOptions options;
//     options.get_token = [] -> Task<std::string> { co_return read_secret(); };
//     options.cache = http::etag_cache();
//     const Service github = http::github(http::Client(network), options);
//     http::Url url = co_await http::relative("/repos/octocat/hello-world");
//     http::Response response = co_await github(http::Request("GET", std::move(url)));
Service github(Service client, GitHubOptions options = GitHubOptions());

}  // namespace escapement::http
