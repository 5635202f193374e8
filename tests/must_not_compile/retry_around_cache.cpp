// A Retry would repeat what a cache keeps.
#include <escapement/middleware/cache/cache.h>
#include <escapement/middleware/client/retry.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

void user(const http::Cache& cache) {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::Retry{}, cache, peer);
#endif
  http::Service right = http::layered(cache, http::Retry{}, peer);
}
