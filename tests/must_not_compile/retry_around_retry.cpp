// Two Retry layers in one stack multiply their attempts.
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

void user() {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::Retry{}, http::Timeout{1s}, http::Retry{}, peer);
#endif
  http::Service next_tier = http::layered(http::Retry{}, peer);
  http::Service right = http::layered(http::Timeout{2s}, http::Retry{}, http::Timeout{1s}, next_tier);
}
