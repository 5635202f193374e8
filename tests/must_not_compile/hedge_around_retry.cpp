// A hedge would send while the Retry inside waits as the server asked.
#include <escapement/middleware/client/hedge.h>
#include <escapement/middleware/client/retry.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

void user() {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::Hedge{}, http::Retry{}, peer);
#endif
  http::Service right = http::layered(http::Retry{}, http::Hedge{}, peer);
}
