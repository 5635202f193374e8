// The decisions of Retry as a table, and its delays.

#include <escapement/middleware/client/retry_policy.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/middleware/client/retry.h>

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
