// basic_credentials: RFC 7617's examples and what cannot be said.

#include <escapement/middleware/client/basic_credentials.h>

#include <catch2/catch_test_macros.hpp>

using namespace escapement;
using namespace escapement::http;

TEST_CASE("basic credentials: RFC 7617's example, every length, and what cannot be said") {
  CHECK(*basic_credentials("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(*basic_credentials("test", "123\xc2\xa3") == "Basic dGVzdDoxMjPCow==");
  CHECK(*basic_credentials("", "") == "Basic Og==");
  CHECK(*basic_credentials("a", "") == "Basic YTo=");
  CHECK(*basic_credentials("a", "b") == "Basic YTpi");
  CHECK(basic_credentials("a:b", "c").error() == Errc::invalid_argument);
  CHECK(basic_credentials("a", "c\n").error() == Errc::invalid_argument);
  CHECK(basic_credentials("a", "b:c"));
}
