// A Service calls its handler from several tasks, so the handler is const.
#include <escapement/io/http/service.h>

using namespace escapement;

void use(http::Service);

void user() {
#ifdef MUST_NOT_COMPILE
  use([count = 0](http::Request) mutable -> Task<http::Response> { co_return http::Response(++count); });
#endif
  use([](http::Request) -> Task<http::Response> { co_return http::Response(200); });
}
