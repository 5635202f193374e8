// A hedge would join its own first attempt.
#include <escapement/middleware/client/deduplicate.h>
#include <escapement/middleware/client/hedge.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

void user() {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::Hedge{}, http::Deduplicate(), peer);
#endif
  http::Service right = http::layered(http::Deduplicate(), http::Hedge{}, peer);
}
