// A request takes a parsed URL.
#include <escapement/io/http/message.h>

using namespace escapement;

Task<> user() {
#ifdef MUST_NOT_COMPILE
  http::Request wrong("GET", "http://example.com/");
#endif
  http::Url url = co_await http::Url::parse("http://example.com/");
  http::Request right("GET", std::move(url));
}
