// SystemTime: its texts and their limits.

#include <escapement/core/system_time.h>

#include <cerrno>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/error.h>
#include <escapement/core/random.h>
#include <escapement/core/time.h>

using namespace escapement;

TEST_CASE("SystemTime: texts go there and back") {
  const SystemTime time = SystemTime::from_unix_milliseconds(784111777'250);
  CHECK(time.http_date() == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(time.rfc3339() == "1994-11-06T08:49:37.250Z");
  CHECK(*SystemTime::parse_rfc3339("1994-11-06T09:49:37.25+01:00") == time);
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    CHECK(SystemTime::parse_http_date(text, time)->unix_milliseconds() == 784111777'000);
  }
  // Dates that are sent besides the three forms.
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 UT", "Sun, 06 Nov 1994 08:49:37 Z",
        "Sun, 06 Nov 1994 08:49:37 -0000", "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 09:49:37 +0100", "Sun, 06 Nov 1994 00:19:37 -08:30", "Sun, 6 Nov 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 UTC", "Sunday, 6-Nov-94 08:49:37 -0000", "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994", "Sun Nov  6 08:49:37 1994 GMT"}) {
    CAPTURE(text);
    REQUIRE(SystemTime::parse_http_date(text, time));
    CHECK(SystemTime::parse_http_date(text, time)->unix_milliseconds() == 784111777'000);
  }
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const SystemTime any =
        SystemTime::from_unix_milliseconds(static_cast<std::int64_t>(random.up_to(253'402'300'799'999)));
    CHECK(*SystemTime::parse_rfc3339(any.rfc3339()) == any);
    CHECK(SystemTime::parse_http_date(any.http_date(), any)->unix_milliseconds() ==
          any.unix_milliseconds() / 1000 * 1000);
  }
}

TEST_CASE("SystemTime: what is no date is refused") {
  for (const char* text :
       {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 06 Nov 1994 08:49:37 EST",
        "Sun, 06 Nov 1994 08:49:37 +2400", "Sun, 06 Nov 1994 08:49:37 +01", "Sun, 06 Nov 1994 08:49:37 ",
        "Sun, 06 Nov 994 08:49:37 GMT", "Sun, 06 Nov 19945 08:49:37 GMT", "Sun, 006 Nov 1994 08:49:37 GMT",
        "Sun,  Nov 1994 08:49:37 GMT", "Sun Nov 66 08:49:37 1994"}) {
    CAPTURE(text);
    CHECK(!SystemTime::parse_http_date(text, SystemTime()));
  }
  for (const char* text : {"1994-11-06", "1994-11-06T08:49:37", "1994-13-06T08:49:37Z",
                           "1969-12-31T23:59:59Z", "1994-11-06T08:49:37.Z", "1994-11-06T09:49:37+0100",
                           "1994-11-06T09:49:37-0100", "1994-11-06T09:49:37+01", "1994-11-06T09:49:37+01:"}) {
    CAPTURE(text);
    CHECK(!SystemTime::parse_rfc3339(text));
  }
}
