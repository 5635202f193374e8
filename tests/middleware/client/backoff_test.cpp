// Backoff rules: their bounds for every retry, and their middle.

#include <escapement/middleware/client/backoff.h>

#include <cmath>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/client/retry.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;

namespace {

struct Rule {
  const char* name;
  BackoffRule rule;
  Duration most;
};

std::vector<Rule> rules(Duration base, Duration most) {
  return {{"equal", equal_jitter(base, most), most},
          {"decorrelated", decorrelated_jitter(base, most), most},
          {"proportional", proportional_jitter(base, most), most},
          {"multiplied", multiplied_backoff(base, 2, most), Duration::max()},
          {"doubling", seconds_doubling(), Duration::max()},
          {"squared", seconds_squared(), Duration::max()},
          {"smoothed", smoothed_jitter(base, most), most},
          {"lognormal", lognormal_jitter(base, most), most}};
}

// The mean of the wait before retry `n`, in milliseconds.
double mean(const BackoffRule& rule, int n) {
  Random random(1);
  const int calls = 20'000;
  double sum = 0;
  for (int call = 0; call < calls; ++call) {
    BackoffState state;
    for (state.retry = 0; state.retry < n; ++state.retry) state.previous = rule(state, random);
    sum += rule(state, random).milliseconds();
  }
  return sum / calls;
}

bool near(double found, double wanted) { return std::abs(found - wanted) < 0.02 * wanted; }

}  // namespace

TEST_CASE("backoff rules: never below zero and never above the longest, however many retries") {
  for (const Duration most : {Duration(20s), Duration(), Duration::max()}) {
    for (const Duration base : {Duration(100ms), Duration(), Duration::max()}) {
      for (const Rule& rule : rules(base, most)) {
        CAPTURE(rule.name, most.count(), base.count());
        Random random(7);
        BackoffState state;
        for (const int retry : {0, 1, 2, 3, 10, 62, 63, 64, 1000, 2'000'000'000}) {
          state.retry = retry;
          state.previous = rule.rule(state, random);
          CHECK(state.previous >= Duration());
          CHECK(state.previous <= rule.most);
        }
      }
    }
  }
}

TEST_CASE("backoff rules: their means") {
  CHECK(near(mean(equal_jitter(100ms, 20s), 2), 300));
  CHECK(near(mean(decorrelated_jitter(100ms, 20s), 0), 200));
  CHECK(near(mean(decorrelated_jitter(100ms, 20s), 1), 350));
  CHECK(near(mean(proportional_jitter(100ms, 20s), 1), 200 * 1.495));
  CHECK(near(mean(multiplied_backoff(100ms, 3, 20s), 2), 900));
  CHECK(near(mean(seconds_doubling(), 1), 2050));
  CHECK(mean(seconds_squared(), 2) == 9000);
  CHECK(near(mean(lognormal_jitter(100ms, 20s, 0.25), 1), 200 * std::exp(0.25 * 0.25 / 2)));
}

TEST_CASE(
    "backoff rules: a Retry asks its rule, in the order of the retries, and not when the server names a "
    "wait") {
  Sim sim;
  test::MockService mock(sim,
                         {test::Step(500), test::Step(503, Headers{{"Retry-After", "0"}}), test::Step(500)});
  std::vector<std::pair<int, double>> asked;
  Retry retry;
  retry.attempts = 4;
  const BackoffRule rule = [&asked](BackoffState& state, Random&) {
    asked.emplace_back(state.retry, state.previous.milliseconds());
    return state.retry == 0 ? Duration(30ms) : Duration(-5s);
  };
  retry.delays = &rule;
  CHECK(sim.run(layered(retry, mock)(get("http://h/")))->status == 500);
  CHECK(asked == std::vector<std::pair<int, double>>{{0, 0}, {2, 0}});
  CHECK(mock.times() == std::vector<double>{0, 30, 30, 30});
}
