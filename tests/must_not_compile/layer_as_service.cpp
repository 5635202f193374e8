// A layer alone serves nothing.
#include <escapement/io/http/service.h>
#include <escapement/middleware/limits/timeout.h>

using namespace escapement;

void use(http::Service);
Task<http::Response> hello(http::Request);

void user() {
#ifdef MUST_NOT_COMPILE
  use(http::Timeout{1s});
#endif
  use(http::layered(http::Timeout{1s}, hello));
}
