// A handler returns a task.
#include <escapement/io/http/service.h>

using namespace escapement;

void use(http::Service);

http::Response hasty(http::Request);
http::Response patient(http::Request);
Task<http::Response> hello(http::Request);

void user() {
#ifdef MUST_NOT_COMPILE
  use(http::Service(hasty));
#endif
  use(http::Service(hello));
}
