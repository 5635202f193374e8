// Credentials are decided for each hop.
#include <escapement/middleware/client/bearer_auth.h>
#include <escapement/middleware/client/redirect.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

void user(const http::BearerAuthOptions& options) {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::BearerAuth(options), http::Redirect{}, peer);
#endif
  http::Service right = http::layered(http::Redirect{}, http::BearerAuth(options), peer);
}
