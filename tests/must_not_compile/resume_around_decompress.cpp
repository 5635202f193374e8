// Resume counts the bytes that were sent.
#include <escapement/middleware/client/decompress.h>
#include <escapement/middleware/client/resume.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

void user() {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::Resume{}, http::Decompress{}, peer);
#endif
  http::Service right = http::layered(http::Decompress{}, http::Resume{}, peer);
}
