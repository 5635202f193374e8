// The layers as conversations with a mock service in simulated time: exact to the nanosecond.

#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/default_headers.h>
#include <escapement/middleware/redirect.h>
#include <escapement/middleware/retry.h>
#include <escapement/middleware/timeout.h>
#include <escapement/middleware/trace.h>

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
  for (const char* malformed : {"", "-1", "soon", "1.5", "7 s"})
    CHECK(!retry_after(Headers{{"Retry-After", malformed}}, now));
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
  const Headers secrets{{"Authorization", "a"}, {"Cookie", "c"}, {"Proxy-Authorization", "p"}, {"X", "kept"}};
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
      for (const char* secret : {"authorization", "cookie", "proxy-authorization"})
        CHECK(!mock.asked()[hop].headers.has(secret));
      CHECK(mock.asked()[hop].headers.has("x"));
    }
  }
}

TEST_CASE("redirect: too many, loops, downgrades, and nonsense are errors") {
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
  CHECK(outcome_of({to("/1"), to("/")}, Redirect{}).error() == Errc::bad_message);
  CHECK(outcome_of({to("http://h/")}, Redirect{}, "https://h/").error() == Errc::bad_message);
  CHECK(outcome_of({to("ftp://h/")}, Redirect{}).error() == Errc::bad_message);
  CHECK(outcome_of({to("http://a b/")}, Redirect{}).error() == Errc::bad_message);
  MockService mock(sim, {to("http://u:p@o/"), Step(200)});
  CHECK(told(sim.run(layered(Redirect{}, mock)(get("http://h/#f")))) == "200");
  CHECK(mock.asked()[1].what == "GET http://o/#f");
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
