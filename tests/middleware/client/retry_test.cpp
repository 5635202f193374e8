// Retry as conversations with a mock service in simulated time: exact to the nanosecond.

#include <escapement/middleware/client/retry.h>

#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/limits/timeout.h>

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

Retry plain_retry(int attempts = 3) {
  Retry retry;
  retry.attempts = attempts;
  retry.jitter = Jitter::none;
  return retry;
}

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
  // A caller that would not wait so long is told at once.
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
