// Hedge, attempt by attempt in simulated time.

#include <escapement/middleware/client/hedge.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/limits/concurrency_limit.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

struct Told {
  std::string outcome;         // the status and the body, or the kind of the error
  double at = 0;               // when it came, in milliseconds
  std::vector<double> starts;  // of the attempts
};

Told told(std::vector<Step> steps, Hedge hedge, Request request = get("http://h/")) {
  Sim sim;
  MockService mock(sim, std::move(steps));
  std::vector<std::string> unhandled;
  sim.reactor().on_unhandled_failure([&](const Error& error) { unhandled.push_back(error.message()); });
  const Service service = layered(hedge, mock);
  auto call = [&]() -> Task<std::string> {
    Response response = co_await service(std::move(request));
    std::string body = co_await response.body.text(100);
    co_return std::to_string(response.status) + ' ' + body;
  };
  Result<std::string> outcome = sim.run(call());
  Told all;
  all.outcome = outcome ? *outcome : std::string(name(outcome.error().code()));
  all.at = sim.elapsed().milliseconds();
  all.starts = mock.times();
  CHECK(mock.live() == 0);  // the losers are gone
  CHECK(unhandled.empty());
  return all;
}

using Starts = std::vector<double>;

}  // namespace

TEST_CASE("hedge: a fast first attempt stays alone; a slow one gets company, and the first response counts") {
  Told fast = told({Step(200, {}, 99ms)}, Hedge{100ms, 3});
  CHECK(fast.outcome == "200 answer 1");
  CHECK(fast.starts == Starts{0});
  Told slow = told({Step(200, {}, 1s), Step(200, {}, 30ms)}, Hedge{100ms, 3});
  CHECK(slow.outcome == "200 answer 2");
  CHECK(slow.at == 130);
  CHECK(slow.starts == Starts{0, 100});
  Told first_after_all = told({Step(200, {}, 150ms), Step::hang(), Step::hang()}, Hedge{100ms, 3});
  CHECK(first_after_all.at == 150);
  Told all_slow = told({Step(200, {}, 1s)}, Hedge{100ms, 3});
  CHECK(all_slow.starts == Starts{0, 100, 200});
  CHECK(all_slow.at == 1000);
}

TEST_CASE("hedge: a failure that may pass starts the next attempt at once; the last outcome counts") {
  Told failed = told({Step(503, {}, 10ms), Step(Error(Errc::reset, "x"), 10ms), Step(200)}, Hedge{100ms, 3});
  CHECK(failed.outcome == "200 answer 3");
  CHECK(failed.starts == Starts{0, 10, 20});
  Told none = told({Step(503), Step(503), Step(502)}, Hedge{100ms, 3});
  CHECK(none.outcome.starts_with("502"));
  CHECK(none.starts.size() == 3);
  Told broken = told({Step(Error(Errc::reset, "x"))}, Hedge{100ms, 2});
  CHECK(broken.outcome == "reset");
  Told slow_success = told({Step(200, {}, 300ms), Step(503), Step(503)}, Hedge{100ms, 3});
  CHECK(slow_success.outcome.starts_with("200"));
  CHECK(slow_success.at == 300);
  CHECK(slow_success.starts == Starts{0, 100, 100});
}

TEST_CASE(
    "hedge: what is no failure of the moment is the result, and a server that asks for a pause gets it") {
  CHECK(told({Step(404)}, Hedge{100ms, 3}).starts.size() == 1);
  CHECK(told({Step(Error(Errc::invalid_argument, "x"))}, Hedge{100ms, 3}).outcome == "invalid_argument");
  Told asked = told({Step(503, Headers{{"Retry-After", "1"}}), Step(200)}, Hedge{100ms, 3});
  CHECK(asked.outcome.starts_with("503"));
  CHECK(asked.starts.size() == 1);
  CHECK(told({Step(429), Step(200)}, Hedge{100ms, 3}).starts.size() == 1);
}

TEST_CASE("hedge: a request that must not be sent twice, or cannot, is sent once") {
  Request post("POST", *Url::parse("http://h/"), {}, "x");
  CHECK(told({Step(200, {}, 1s)}, Hedge{100ms, 3}, std::move(post)).starts.size() == 1);
  Request streamed("PUT", *Url::parse("http://h/"), {}, escapement::test::pieces({"a", "b"}));
  CHECK(told({Step(200, {}, 1s)}, Hedge{100ms, 3}, std::move(streamed)).starts.size() == 1);
  Request keyed("POST", *Url::parse("http://h/"), Headers{{"Idempotency-Key", "k"}}, "x");
  CHECK(told({Step(200, {}, 1s)}, Hedge{100ms, 3}, std::move(keyed)).starts.size() == 3);
}

TEST_CASE("hedge: the budget pays for further attempts; without it the first one is waited for") {
  RetryBudgetOptions none;
  none.ratio = 0;
  none.per_second_min = 0;
  Hedge hedge{100ms, 3};
  hedge.budget = RetryBudget(none);
  Told slow = told({Step(200, {}, 1s)}, hedge);
  CHECK(slow.outcome == "200 answer 1");
  CHECK(slow.starts == Starts{0});
  Told failed = told({Step(503)}, hedge);
  CHECK(failed.outcome.starts_with("503"));
  CHECK(failed.starts.size() == 1);
}

TEST_CASE("hedge: no delay starts all at once; attempts below one are one") {
  CHECK(told({Step(200, {}, 50ms)}, Hedge{Duration(), 3}).starts == Starts{0, 0, 0});
  CHECK(told({Step(200, {}, 1s)}, Hedge{100ms, 0}).starts == Starts{0});
}

TEST_CASE("hedge: a failed response holds no place that the next attempt waits for") {
  Sim sim;
  MockService mock(sim, {Step(503), Step(200, {}, 10ms)});
  ConcurrencyLimits one;
  one.running_max = 1;
  const Service service = layered(Hedge{100ms, 2}, ConcurrencyLimit(one), mock);
  const escapement::test::Answer answer = *sim.run(escapement::test::ask(service, get("http://h/")));
  CHECK(answer.body == "answer 2");
  CHECK(mock.times() == Starts{0, 0});
  CHECK(sim.elapsed() == 10ms);
  // The last one keeps its body, also where the budget allows no further one.
  RetryBudgetOptions none;
  none.ratio = 0;
  none.per_second_min = 0;
  Hedge poor{100ms, 3};
  poor.budget = RetryBudget(none);
  CHECK(told({Step(503)}, poor).outcome == "503 answer 1");
  CHECK(told({Step(503)}, Hedge{100ms, 2}).outcome == "503 answer 2");
}
