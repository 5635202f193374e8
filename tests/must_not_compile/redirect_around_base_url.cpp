// Redirect compares origins, which BaseUrl has to set first.
#include <escapement/middleware/client/base_url.h>
#include <escapement/middleware/client/redirect.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

void user(const http::Url& base) {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::Redirect{}, http::BaseUrl{base}, peer);
#endif
  http::Service right = http::layered(http::BaseUrl{base}, http::Redirect{}, peer);
}
