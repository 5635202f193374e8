// A quota must count the requests that a Retry sends again.
#include <escapement/middleware/client/github_queue.h>
#include <escapement/middleware/client/retry.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

void user() {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::GitHubQueue(), http::Retry{}, peer);
#endif
  http::Service right = http::layered(http::Retry{}, http::GitHubQueue(), peer);
}
