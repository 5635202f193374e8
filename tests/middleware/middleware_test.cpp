// The layers as conversations with a mock service in simulated time: exact to the nanosecond.

#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/default_headers.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/observe/trace.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

std::string told(const Result<Response>& outcome) {
  return outcome ? std::to_string(outcome->status) : std::string(name(outcome.error().code()));
}

Request request(const char* method, Headers headers = {}, Body body = {}) {
  return Request(method, *Url::parse("http://h/"), std::move(headers), std::move(body));
}

class OneShot final : public BodySource {
 public:
  Task<std::string> read() override { co_return std::exchange(rest_, std::string()); }

 private:
  std::string rest_ = "once";
};

Error sent(Errc code) { return Error(code, "x"); }
Error unsent(Errc code) { return Error(code, "x").nothing_sent(); }

Retry plain_retry(int attempts = 3) {
  Retry retry;
  retry.attempts = attempts;
  retry.jitter = Jitter::none;
  return retry;
}

}  // namespace

TEST_CASE("retry: the table, for an idempotent method and for POST") {
  struct Row {
    const char* what;
    Step outcome;
    int get_attempts;
    int post_attempts;
  };
  const Headers soon{{"Retry-After", "1"}};
  const std::vector<Row> rows{
      {"R1 nothing sent", Step(unsent(Errc::unavailable)), 3, 3},
      {"R3 broke before the head", Step(sent(Errc::reset)), 3, 1},
      {"R5 no such host", Step(unsent(Errc::not_found)), 1, 1},
      {"R6 refused", Step(unsent(Errc::unavailable)), 3, 3},
      {"R7 bad URL", Step(sent(Errc::invalid_argument)), 1, 1},
      {"R7 broken protocol", Step(sent(Errc::bad_message)), 1, 1},
      {"R7 a limit", Step(sent(Errc::limit_exceeded)), 1, 1},
      {"R7 cancelled", Step(sent(Errc::cancelled)), 1, 1},
      {"R8 timed out", Step(sent(Errc::timed_out)), 3, 1},
      {"R9 408", Step(408), 3, 1},
      {"R10 413", Step(413), 1, 1},
      {"R10 413 with Retry-After", Step(413, soon), 3, 1},
      {"R11 425", Step(425), 3, 3},
      {"R12 429", Step(429), 3, 3},
      {"R13 500", Step(500), 3, 1},
      {"R14 502", Step(502), 3, 1},
      {"R14 504", Step(504), 3, 1},
      {"R15 503", Step(503), 3, 1},
      {"R15 503 with Retry-After", Step(503, soon), 3, 3},
      {"R16 501", Step(501), 1, 1},
      {"R16 505", Step(505), 1, 1},
      {"R16 511", Step(511), 1, 1},
      {"R17 521", Step(521), 3, 3},
      {"R17 522", Step(522), 3, 3},
      {"R17 524", Step(524), 3, 1},
      {"R18 404", Step(404), 1, 1},
      {"R18 403", Step(403), 1, 1},
      {"R18 404 with Retry-After", Step(404, soon), 1, 1},
      {"R16 501 with Retry-After", Step(501, soon), 1, 1},
      {"R13 500 with Retry-After", Step(500, soon), 3, 1},
      {"R17 521 with Retry-After", Step(521, soon), 3, 3},
      {"R11 425 with Retry-After", Step(425, soon), 3, 3},
      {"301 with Retry-After", Step(301, soon), 1, 1},
      {"GitHub's secondary limit", Step(403, soon), 3, 3},
      {"GitHub's secondary limit, the primary one untouched",
       Step(403,
            Headers{{"Retry-After", "1"}, {"x-ratelimit-remaining", "4998"}, {"x-ratelimit-reset", "1e9"}}),
       3, 3},
      {"GitHub's primary limit",
       Step(403, Headers{{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1"}}), 3, 3},
      {"403 that is no limit", Step(403, Headers{{"x-ratelimit-remaining", "1"}, {"x-ratelimit-reset", "1"}}),
       1, 1},
      {"403 that is no limit, as far as one can tell", Step(403, Headers{{"x-ratelimit-reset", "1"}}), 1, 1},
      {"403 with an empty Retry-After", Step(403, Headers{{"Retry-After", ""}}), 1, 1},
      {"R18 401", Step(401), 1, 1},
      {"200", Step(200), 1, 1},
      {"304", Step(304), 1, 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    for (const char* method : {"GET", "PUT", "DELETE", "POST", "PATCH"}) {
      Sim sim;
      MockService mock(sim, {row.outcome});
      const Service service = layered(plain_retry(), mock);
      Result<Response> outcome = sim.run(service(request(method)));
      const bool idempotent = std::string_view(method) != "POST" && std::string_view(method) != "PATCH";
      CHECK(static_cast<int>(mock.asked().size()) == (idempotent ? row.get_attempts : row.post_attempts));
      CHECK(told(outcome) == (row.outcome.error ? std::string(name(row.outcome.error->code()))
                                                : std::to_string(row.outcome.status)));
    }
  }
}

TEST_CASE("retry: an idempotency key, or the caller's word, makes a POST one that may be repeated") {
  Sim sim;
  MockService keyed(sim, {Step(500), Step(200)});
  CHECK(told(sim.run(layered(plain_retry(),
                             keyed)(request("POST", Headers{{"Idempotency-Key", "k"}}, "b")))) == "200");
  CHECK(keyed.asked()[1].what == "POST http://h/ b");
  MockService promised(sim, {Step(500), Step(200)});
  Retry retry = plain_retry();
  retry.repeat_any_method = true;
  CHECK(told(sim.run(layered(retry, promised)(request("POST")))) == "200");
}

TEST_CASE("retry: delays double exactly, jitter stays below them and follows its seed") {
  Sim sim;
  MockService mock(sim, {Step(500)});
  CHECK(told(sim.run(layered(Retry::doubling(9), mock)(request("GET")))) == "500");
  CHECK(mock.times() == std::vector<double>{0, 100, 300, 700, 1500, 3100, 6300, 12700, 19100});
  CHECK(exponential_backoff(100ms, 20s, 1000) == 20s);
  CHECK(exponential_backoff(Duration::max(), Duration::max(), 62) == Duration::max());

  const auto schedule = [](std::uint64_t seed) {
    Sim sim;
    Random random(seed);
    Retry retry;
    retry.attempts = 6;
    retry.random = &random;
    MockService mock(sim, {Step(500)});
    Result<Response> outcome = sim.run(layered(retry, mock)(request("GET")));
    return mock.times();
  };
  const std::vector<double> times = schedule(5);
  CHECK(times == schedule(5));
  CHECK(times != schedule(6));
  for (std::size_t i = 1; i < times.size(); ++i) CHECK(times[i] - times[i - 1] <= 100.0 * (1 << (i - 1)));
}

TEST_CASE("retry: what the server asks for is waited for, never less, and not when it is too long") {
  const SystemTime now = SystemTime::from_unix_milliseconds(784111777'000);  // Sun, 06 Nov 1994 08:49:37 GMT
  CHECK(retry_after(Headers{{"Retry-After", "7"}}, now) == Duration(7s));
  CHECK(retry_after(Headers{{"Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"}}, now) == Duration(10s));
  CHECK(retry_after(Headers{{"Retry-After", "Sunday, 06-Nov-94 08:49:47 GMT"}}, now) == Duration(10s));
  CHECK(retry_after(Headers{{"Retry-After", "Sun Nov  6 08:49:47 1994"}}, now) == Duration(10s));
  CHECK(retry_after(Headers{{"Retry-After", "Sun, 06 Nov 1994 08:00:00 GMT"}}, now) == Duration());
  CHECK(retry_after(Headers{{"Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"},
                            {"Date", "Sun, 06 Nov 1994 08:49:45 GMT"}},
                    now) == Duration(2s));
  for (const char* malformed :
       {"", "-1", "soon", "7 s", "1.5s", "1.-5", ".5", "1,5", "1e3", "Sun, 06 Nov 1994"})
    CHECK(!retry_after(Headers{{"Retry-After", malformed}}, now));
  CHECK(retry_after(Headers{{"Retry-After", "1.5"}}, now) == Duration(1500ms));
  CHECK(retry_after(Headers{{"Retry-After", "0.0000000001"}}, now) == Duration(1ns));
  CHECK(retry_after(Headers{{"Retry-After", "7."}}, now) == Duration(7s));
  CHECK(retry_after(Headers{{"Retry-After", "99999999999999999999.9"}}, now) == Duration::max());
  for (const char* date :
       {"Sun, 06 Nov 1994 08:49:47 UTC", "Sun, 06 Nov 1994 08:49:47 -0000", "Sun, 06 Nov 1994 09:49:47 +0100",
        "1994-11-06T08:49:47Z", "Sun, 6 Nov 1994 08:49:47 GMT"}) {
    CAPTURE(date);
    CHECK(retry_after(Headers{{"Retry-After", date}}, now) == Duration(10s));
  }
  CHECK(retry_after(Headers{{"Retry-After", "1"}, {"retry-after", "5"}, {"Retry-After", "2"}}, now) ==
        Duration(5s));
  CHECK(!retry_after(Headers{{"Retry-After", "1"}, {"Retry-After", "later"}}, now));
  CHECK(retry_after(Headers{{"Retry-After", "99999999999999999999"}}, now) == Duration::max());

  Sim sim;
  MockService mock(sim, {Step(503, Headers{{"Retry-After", "2"}}), Step(200)});
  CHECK(told(sim.run(layered(Retry{}, mock)(request("GET")))) == "200");
  CHECK(mock.times()[1] >= 2000);
  CHECK(mock.times()[1] <= 2200);
  Sim other;
  MockService slow(other, {Step(503, Headers{{"Retry-After", "61"}})});
  CHECK(told(other.run(layered(Retry{}, slow)(request("GET")))) == "503");
  CHECK(slow.asked().size() == 1);
  Sim third;
  const std::string reset =
      std::to_string((third.backend().system_now() + Duration(3s)).unix_milliseconds() / 1000);
  MockService limited(
      third, {Step(403, Headers{{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", reset}}), Step(200)});
  CHECK(told(third.run(layered(Retry{}, limited)(request("GET")))) == "200");
  CHECK(limited.times()[1] >= 3000);
}

namespace {

// When the second attempt is made after `first`, in milliseconds; none: -1.
double second_attempt(Step first, const char* method = "GET", Duration server_delay_max = 60s) {
  Sim sim;
  MockService mock(sim, {std::move(first), Step(200)});
  Retry retry = plain_retry();
  retry.server_delay_max = server_delay_max;
  CHECK(sim.run(layered(retry, mock)(request(method))));
  return mock.asked().size() < 2 ? -1 : mock.times()[1];
}

}  // namespace

TEST_CASE("retry: whatever is tried again is not tried earlier than the server said") {
  for (const int status : {403, 408, 413, 425, 429, 500, 502, 503, 504, 521, 522, 524}) {
    CAPTURE(status);
    for (const auto& [value, delay] : {std::pair("3", 3000), std::pair("2.5", 2500)}) {
      const double at = second_attempt(Step(status, Headers{{"Retry-After", value}}));
      CHECK(at >= delay);
      CHECK(at <= delay * 1.1);
    }
    CHECK(second_attempt(Step(status, Headers{{"Retry-After", "61"}})) == -1);
    for (const char* unreadable : {"soon", "10 s", "Sun, 06 Nov 1994", "PT10S"})
      CHECK(second_attempt(Step(status, Headers{{"Retry-After", unreadable}})) == -1);
    const double at = second_attempt(Step(status, Headers{{"Retry-After", ""}}));
    if (status == 429) CHECK(at >= 60'000);
    if (status != 403 && status != 413 && status != 425 && status != 429) CHECK(at == 100);
  }
  for (const int status : {403, 425, 429, 503, 521, 522})
    CHECK(second_attempt(Step(status, Headers{{"Retry-After", "1"}}), "POST") >= 1000);
}

TEST_CASE("retry: a rate limit is waited out, in every spelling") {
  const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT";  // 784111777
  const auto limited = [&](const std::string& prefix, const std::string& reset, const char* remaining = "0") {
    return Headers{{"Date", date}, {prefix + "Remaining", remaining}, {prefix + "Reset", reset}};
  };
  for (const char* prefix : {"X-RateLimit-", "x-ratelimit-", "X-Rate-Limit-", "RateLimit-"}) {
    for (const char* reset : {"30", "30.0", "784111807", "784111807.0", "784111807000",
                              "Sun, 06 Nov 1994 08:50:07 GMT", "1994-11-06T08:50:07Z"}) {
      CAPTURE(prefix, reset);
      for (const int status : {403, 429, 500, 503}) {
        const double at = second_attempt(Step(status, limited(prefix, reset)));
        CHECK(at >= 30'000);
        CHECK(at <= 33'000);
      }
    }
    CHECK(second_attempt(Step(429, limited(prefix, "784111776"))) == 0);
    CHECK(second_attempt(Step(429, limited(prefix, "784111838"))) == -1);
    CHECK(second_attempt(Step(429, limited(prefix, "99999999999999999999"))) == -1);
    CHECK(second_attempt(Step(429, limited(prefix, "6m0s"))) == -1);
    CHECK(second_attempt(Step(429, limited(prefix, "30", "1"))) >= 60'000);
    CHECK(second_attempt(Step(500, limited(prefix, "30", "1"))) == 100);
    CHECK(second_attempt(Step(403, limited(prefix, "30", "1"))) == -1);
  }
  for (const char* list :
       {"\"default\";r=0;t=30", "\"a\";r=0;t=30;pk=:x:", "\"a\";r=5;t=7, \"b\";r=0;t=30",
        "\"b\";r=0;t=30, \"a\";r=5;t=7,", "\"b\";t=30;r=0", "limit=5, remaining=0, reset=30"}) {
    CAPTURE(list);
    CHECK(second_attempt(Step(429, Headers{{"RateLimit", list}})) >= 30'000);
    CHECK(second_attempt(Step(403, Headers{{"RateLimit", list}})) >= 30'000);
  }
  // A list may be spread over several lines (RFC 9110 section 5.3).
  for (const int status : {403, 429}) {
    const Headers lines{{"RateLimit", "\"a\";r=5;t=7"}, {"RateLimit", "\"b\";r=0;t=30"}};
    const Headers parts{{"RateLimit", "limit=5"}, {"RateLimit", "remaining=0"}, {"RateLimit", "reset=30"}};
    CHECK(second_attempt(Step(status, lines)) >= 30'000);
    CHECK(second_attempt(Step(status, parts)) >= 30'000);
  }
  CHECK(second_attempt(Step(429, Headers{{"RateLimit", "\"a\";r=7;t=30"}})) >= 60'000);
  CHECK(second_attempt(Step(500, Headers{{"RateLimit", "\"a\";r=7;t=30"}})) == 100);
  CHECK(second_attempt(Step(429, Headers{{"RateLimit-Reset", "30"}})) >= 30'000);
  CHECK(second_attempt(Step(500, Headers{{"RateLimit-Reset", "30"}})) == 100);
  CHECK(second_attempt(Step(503, limited("RateLimit-", "30")), "POST") == -1);
  // Retry-After comes first: GitHub's secondary limit while the primary one is used up.
  Headers both = limited("x-ratelimit-", "784114777");
  both.add("Retry-After", "1");
  const double at = second_attempt(Step(403, both));
  CHECK(at >= 1000);
  CHECK(at <= 1100);
}

TEST_CASE("retry: a 429 that names no wait is tried again after a minute, and then after twice as long") {
  const Headers secondary{{"X-RateLimit-Remaining", "4998"}, {"X-RateLimit-Reset", "784114777"}};  // GitHub's
  for (const Headers& headers : {Headers(), secondary}) {
    for (const char* method : {"GET", "POST"}) {
      CAPTURE(method);
      const double at = second_attempt(Step(429, headers), method);
      CHECK(at >= 60'000);
      CHECK(at <= 65'000);
      CHECK(second_attempt(Step(403, headers), method) == -1);
    }
  }
  CHECK(second_attempt(Step(429), "GET", 59s) == -1);

  Sim sim;
  MockService mock(sim, {Step(429)});
  Retry retry = plain_retry(5);
  retry.server_delay_max = 200s;
  CHECK(told(sim.run(layered(retry, mock)(request("GET")))) == "429");
  const std::vector<double> times = mock.times();
  REQUIRE(times.size() == 5);
  const double waits[] = {60'000, 120'000, 200'000, 200'000};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(times[i + 1] - times[i] >= waits[i]);
    CHECK(times[i + 1] - times[i] <= waits[i] + 5'000);
  }
  // Who would not wait so long is told at once.
  Sim other;
  MockService limited(other, {Step(429)});
  CHECK(told(other.run(layered(Timeout{30s}, plain_retry(), limited)(request("GET")))) == "429");
  CHECK(other.elapsed() == 0s);
}

TEST_CASE("retry: a body that streams is sent once, whole, and the error says why not twice") {
  Sim sim;
  MockService mock(sim, {Step(sent(Errc::reset))});
  Result<Response> outcome =
      sim.run(layered(plain_retry(), mock)(request("PUT", {}, Body(std::make_unique<OneShot>()))));
  CHECK(mock.asked().size() == 1);
  CHECK(mock.asked()[0].what == "PUT http://h/ once");
  CHECK(outcome.error().message().find("cannot be sent twice") != std::string::npos);
}

TEST_CASE("retry: with limits inside and outside") {
  Sim sim;
  MockService hangs(sim, {Step::hang()});
  const Service stack = layered(Timeout{2s}, plain_retry(), Timeout{1s}, hangs);
  CHECK(told(sim.run(stack(request("GET")))) == "timed_out");
  CHECK(sim.elapsed() == 2s);
  CHECK(hangs.times() == std::vector<double>{0, 1100});
  CHECK(hangs.live() == 0);

  // R20: a wait that ends after the caller has gone is not begun.
  Sim impatient;
  MockService busy(impatient, {Step(503, Headers{{"Retry-After", "5"}})});
  CHECK(told(impatient.run(layered(Timeout{3s}, Retry{}, busy)(request("GET")))) == "503");
  CHECK(impatient.elapsed() == Duration());
  // Nor one that ends when the caller goes; one that ends a nanosecond earlier is.
  for (const Duration limit : {Duration(100ms), Duration(100ms) + Duration(1ns)}) {
    Sim exact;
    MockService fails(exact, {Step(500)});
    const bool waits = limit > Duration(100ms);
    CHECK(told(exact.run(layered(Timeout{limit}, plain_retry(), fails)(request("GET")))) == "500");
    CHECK(exact.elapsed() == (waits ? Duration(100ms) : Duration()));
    CHECK(fails.asked().size() == (waits ? 2 : 1));
  }

  // The walk of the design: the first attempt hangs, the second answers.
  Sim walk;
  MockService second(walk, {Step::hang(), Step(200, {}, 200ms)});
  CHECK(told(walk.run(layered(Timeout{2s}, plain_retry(), Timeout{250ms}, Redirect{},
                              second)(request("GET")))) == "200");
  CHECK(walk.elapsed() == 550ms);
  CHECK(walk.timers().size() == 0);
}

TEST_CASE(
    "retry: cancelled during the wait, it leaves no timer and makes no attempt; the observer hears of "
    "waits") {
  Sim sim;
  MockService mock(sim, {Step(500)});
  Retry retry = plain_retry();
  std::vector<int> notices;
  retry.observer = [&](const RetryNotice& notice) { notices.push_back(notice.attempts_made); };
  const Service service = layered(retry, mock);
  {
    Scope scope(sim.reactor());
    auto call = [](const Service& service) -> Task<> { (void)co_await service(request("GET")).result(); };
    scope.spawn(call(service));
    sim.advance(50ms);
    CHECK(sim.timers().size() == 1);
  }
  CHECK(sim.timers().size() == 0);
  sim.advance(10s);
  CHECK(mock.asked().size() == 1);
  CHECK(notices == std::vector<int>{1});
}

TEST_CASE("redirect: methods and bodies") {
  struct Row {
    int status;
    const char* method;
    std::string second;  // what the target is asked; empty: it is not followed
  };
  for (const Row& row : std::vector<Row>{{301, "GET", "GET http://h/to"},
                                         {302, "GET", "GET http://h/to"},
                                         {301, "POST", "GET http://h/to"},
                                         {302, "POST", "GET http://h/to"},
                                         {301, "PUT", "PUT http://h/to b"},
                                         {303, "POST", "GET http://h/to"},
                                         {303, "PUT", "GET http://h/to"},
                                         {303, "HEAD", "HEAD http://h/to b"},
                                         {307, "POST", "POST http://h/to b"},
                                         {308, "PUT", "PUT http://h/to b"},
                                         {300, "GET", ""},
                                         {304, "GET", ""},
                                         {305, "GET", ""}}) {
    CAPTURE(row.status, row.method);
    Sim sim;
    MockService mock(sim, {Step(row.status, Headers{{"Location", "/to"}}), Step(200)});
    const bool has_body = std::string_view(row.method) != "GET";
    Result<Response> outcome =
        sim.run(layered(Redirect{}, mock)(request(row.method, {}, has_body ? "b" : "")));
    CHECK(told(outcome) == (row.second.empty() ? std::to_string(row.status) : "200"));
    CHECK(mock.asked().size() == (row.second.empty() ? 1 : 2));
    if (!row.second.empty()) CHECK(mock.asked()[1].what == row.second);
  }
  Sim sim;
  MockService streamed(sim, {Step(307, Headers{{"Location", "/to"}})});
  CHECK(told(sim.run(
            layered(Redirect{}, streamed)(request("POST", {}, Body(std::make_unique<OneShot>()))))) == "307");
  MockService nowhere(sim, {Step(302)});
  CHECK(told(sim.run(layered(Redirect{}, nowhere)(request("GET")))) == "302");
}

TEST_CASE("redirect: credentials stay with their origin, for good") {
  const Headers secrets{{"Authorization", "a"},
                        {"Cookie", "c"},
                        {"Proxy-Authorization", "p"},
                        {"WWW-Authenticate", "w"},
                        {"X", "kept"}};
  for (const char* other : {"http://other/", "http://h:81/", "https://h/"}) {
    CAPTURE(other);
    Sim sim;
    MockService mock(sim, {Step(302, Headers{{"Location", "/same"}}), Step(302, Headers{{"Location", other}}),
                           Step(302, Headers{{"Location", "http://h/back"}}), Step(200)});
    Redirect redirect;
    redirect.allow_https_to_http = true;
    CHECK(told(sim.run(layered(redirect, mock)(request("GET", secrets)))) == "200");
    CHECK(mock.asked()[1].headers.has("authorization"));
    for (const int hop : {2, 3}) {
      for (const char* secret : {"authorization", "cookie", "proxy-authorization", "www-authenticate"})
        CHECK(!mock.asked()[hop].headers.has(secret));
      CHECK(mock.asked()[hop].headers.has("x"));
    }
  }
}

TEST_CASE("redirect: too many, downgrades, and nonsense are errors") {
  Sim sim;
  const auto outcome_of = [&](std::vector<Step> steps, Redirect redirect, const char* from = "http://h/") {
    MockService mock(sim, std::move(steps));
    return sim.run(layered(redirect, mock)(get(from)));
  };
  const auto to = [](const char* location) { return Step(302, Headers{{"Location", location}}); };
  Redirect two;
  two.hops_max = 2;
  CHECK(told(outcome_of({to("/1"), to("/2"), Step(200)}, two)) == "200");
  Result<Response> many = outcome_of({to("/1"), to("/2"), to("/3")}, two);
  CHECK(many.error() == Errc::limit_exceeded);
  CHECK(many.error().message().find("http://h/2") != std::string::npos);
  CHECK(outcome_of({to("http://h/")}, Redirect{}, "https://h/").error() == Errc::bad_message);
  CHECK(outcome_of({to("ftp://h/")}, Redirect{}).error() == Errc::bad_message);
  for (const char* two_hosts :
       {"http://a b/", "/\\o/", "\\\\o/", "//o\\@h/", "http:\\\\o/", "http://caf\xc3\xa9/"})
    CHECK(outcome_of({to(two_hosts)}, Redirect{}).error() == Errc::bad_message);
  MockService mock(sim, {to("http://u:p@o/"), Step(200)});
  CHECK(told(sim.run(layered(Redirect{}, mock)(get("http://h/#f")))) == "200");
  CHECK(mock.asked()[1].what == "GET http://o/#f");
}

TEST_CASE("redirect: a Location is read as browsers read it") {
  for (const auto& [location, asked] : std::vector<std::pair<const char*, const char*>>{
           {"/caf\xc3\xa9", "GET http://h/caf%C3%A9"},
           {"/caf\xe9", "GET http://h/caf%E9"},
           {"/a b", "GET http://h/a%20b"},
           {"/a?q=50%", "GET http://h/a?q=50%"},
           {"/50%", "GET http://h/50%"},
           {"/a\\b", "GET http://h/a/b"},
           {"/f%2Dile%7E?sig=a%2Db%3d&x=%2e", "GET http://h/f%2Dile%7E?sig=a%2Db%3d&x=%2e"},
           {"http://o/\xff", "GET http://o/%FF"}}) {
    CAPTURE(asked);
    Sim sim;
    MockService mock(sim, {Step(302, Headers{{"Location", location}}), Step(200)});
    CHECK(told(sim.run(layered(Redirect{}, mock)(request("GET")))) == "200");
    REQUIRE(mock.asked().size() == 2);
    CHECK(mock.asked()[1].what == asked);
  }
}

TEST_CASE("redirect: the same URL again is followed, and only the number of hops ends it") {
  const auto to = [](const char* location) { return Step(302, Headers{{"Location", location}}); };
  Sim sim;
  MockService cookie(sim, {to("/"), Step(200)});  // the same URL, after a cookie was set
  CHECK(told(sim.run(layered(Redirect{}, cookie)(request("GET")))) == "200");
  MockService there_and_back(sim, {to("/b"), to("/"), to("/b"), Step(200)});
  CHECK(told(sim.run(layered(Redirect{}, there_and_back)(request("GET")))) == "200");
  MockService poll(sim,
                   {Step(307, Headers{{"Location", "/"}}), Step(307, Headers{{"Location", "/"}}), Step(200)});
  CHECK(told(sim.run(layered(Redirect{}, poll)(request("POST", {}, "b")))) == "200");
  CHECK(poll.asked()[2].what == "POST http://h/ b");
  MockService forever(sim, {to("/")});
  CHECK(told(sim.run(layered(Redirect{}, forever)(request("GET")))) == "limit_exceeded");
  CHECK(forever.asked().size() == 11);
  MockService empty(sim, {to("")});
  CHECK(told(sim.run(layered(Redirect{}, empty)(request("GET")))) == "302");
}

TEST_CASE("timeout: exact; an answer in the same turn wins; the call is gone before it is reported") {
  Sim sim;
  MockService at_limit(sim, {Step(200, {}, 250ms)});
  CHECK(told(sim.run(layered(Timeout{250ms}, at_limit)(request("GET")))) == "200");
  MockService late(sim, {Step(200, {}, 251ms)});
  auto run = [&]() -> Task<bool> {
    const Service service = layered(Timeout{250ms}, late);
    Result<Response> outcome = co_await service(request("GET")).result();
    co_return !outcome && late.live() == 0;
  };
  CHECK(*sim.run(run()));
  CHECK(sim.elapsed() == 500ms);
}

TEST_CASE("default headers: only what is missing") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const Service service = layered(DefaultHeaders{Headers{{"A", "default"}, {"B", "default"}}}, mock);
  CHECK(told(sim.run(service(request("GET", Headers{{"a", "own"}})))) == "200");
  CHECK(*mock.asked()[0].headers.joined("a") == "own");
  CHECK(*mock.asked()[0].headers.joined("b") == "default");
}

TEST_CASE("trace: beginning and end of each, whichever way it ends, without secrets") {
  Sim sim;
  std::vector<std::string> events;
  const Trace trace{[&](const TraceEvent& event) {
    const char* kinds[] = {"started", "answered", "failed", "cancelled"};
    events.push_back(std::string(kinds[static_cast<int>(event.kind)]) + ' ' + event.what + ' ' +
                     std::to_string(event.status));
  }};
  MockService mock(sim, {Step(200), Step(sent(Errc::reset)), Step::hang()});
  const Service service = layered(Timeout{1s}, trace, mock);
  for (int i = 0; i < 3; ++i) (void)sim.run(service(get("http://u:secret@h/x")));
  CHECK(events == std::vector<std::string>{"started GET http://h/x 0", "answered GET http://h/x 200",
                                           "started GET http://h/x 0", "failed GET http://h/x 0",
                                           "started GET http://h/x 0", "cancelled GET http://h/x 0"});
}

#ifdef __cpp_exceptions
TEST_CASE("trace: what its sink throws fails the request, or is dropped where that is cancelled") {
  Sim sim;
  const Trace trace{[](const TraceEvent& event) {
    if (event.kind != TraceEvent::Kind::started) throw std::runtime_error("on purpose");
  }};
  MockService mock(sim, {Step(200), Step::hang()});
  const Service service = layered(Timeout{1s}, trace, mock);
  CHECK(sim.run(service(get("http://h/"))).error() == Errc::exception);
  CHECK(sim.run(service(get("http://h/"))).error() == Errc::timed_out);
}
#endif
