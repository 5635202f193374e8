// The service comes last.
#include <escapement/io/http/service.h>
#include <escapement/middleware/limits/timeout.h>

using namespace escapement;

Task<http::Response> hello(http::Request);

void user() {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(hello, http::Timeout{1s});
#endif
  http::Service right = http::layered(http::Timeout{1s}, hello);
}
