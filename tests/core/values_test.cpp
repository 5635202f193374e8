// Duration, Instant, SystemTime, Error, Result, List.

#include <cerrno>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/error.h>
#include <escapement/core/list.h>
#include <escapement/core/random.h>
#include <escapement/core/system_time.h>
#include <escapement/core/time.h>

using namespace escapement;

TEST_CASE("Duration and Instant saturate") {
  CHECK(Duration(std::chrono::hours::max()) == Duration::max());
  CHECK(Duration(std::chrono::hours::min()) == Duration::min());
  CHECK(Duration(std::chrono::duration<double>(1e300)) == Duration::max());
  CHECK(Duration(std::chrono::duration<double>(0.25)) == Duration(250ms));
  CHECK(Duration::max() + Duration(1ns) == Duration::max());
  CHECK(Duration::min() - Duration(1ns) == Duration::min());
  CHECK(Duration::max() * 2 == Duration::max());
  CHECK(Duration::max() * -2 == Duration::min());
  CHECK(Duration::min() / -1 == Duration::max());
  CHECK(Instant() + Duration::max() == Instant::never());
  CHECK(Instant::never() + Duration(1s) == Instant::never());
  CHECK(Instant::never() - Instant::from_nanoseconds(-5) == Duration::max());
}

TEST_CASE("SystemTime: texts go there and back") {
  const SystemTime time = SystemTime::from_unix_milliseconds(784111777'250);
  CHECK(time.http_date() == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(time.rfc3339() == "1994-11-06T08:49:37.250Z");
  CHECK(*SystemTime::parse_rfc3339("1994-11-06T09:49:37.25+01:00") == time);
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    CHECK(SystemTime::parse_http_date(text, time)->unix_milliseconds() == 784111777'000);
  }
  // What is sent besides the three forms.
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

TEST_CASE("Result holds a value or an error, and moves") {
  Result<std::string> good = std::string("value");
  Result<std::string> bad = Error(Errc::timed_out, "late");
  Result<std::string> moved = std::move(bad);
  CHECK(to_string(moved.error()) == "timed_out: late");
  moved = std::move(good);
  CHECK(*moved == "value");
  Error error = Error(Errc::reset, "b").context("a").nothing_sent();
  CHECK(error.message() == "a: b");
  CHECK(!error.maybe_sent());
  CHECK(Error::from_errno(EADDRINUSE, "listen") == Errc::address_in_use);
}

TEST_CASE("List: nodes unlink themselves") {
  struct Node : ListNode {
    int id = 0;
  };
  List<Node> list;
  Node a;
  Node b;
  {
    Node gone;
    list.push_back(a);
    list.push_back(gone);
    list.push_front(b);
  }
  CHECK(list.pop_front() == &b);
  CHECK(list.pop_front() == &a);
  CHECK(list.empty());
}
