// A route's handler takes a request.
#include <escapement/middleware/server/router.h>

using namespace escapement;

Task<http::Response> hello(http::Request);
Task<http::Response> by_number(int);

void user() {
#ifdef MUST_NOT_COMPILE
  http::Route wrong("GET", "/", by_number);
#endif
  http::Route right("GET", "/", hello);
}
