// RetryBudget: the arithmetic by hand, and three tiers of retries.

#include <escapement/middleware/client/retry_budget.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/progress.h>
#include <escapement/middleware/client/hedge.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

RetryBudgetOptions only(double ratio, unsigned per_second_min = 0, Duration window = 10s) {
  RetryBudgetOptions options;
  options.ratio = ratio;
  options.per_second_min = per_second_min;
  options.window = window;
  return options;
}

std::uint64_t drawn(const RetryBudget& budget, Instant now) {
  std::uint64_t count = 0;
  while (budget.withdraw(now)) ++count;
  return count;
}

Request request() { return get("http://h/"); }

Retry three(const RetryBudget& budget) {
  Retry retry;
  retry.attempts = 3;
  retry.budget = budget;
  return retry;
}

}  // namespace

TEST_CASE("retry budget: so many retries for each call, exactly, for every ratio") {
  const Instant now = Instant() + 1h;
  for (const auto& [ratio, allowed] : {std::pair(0.0, 0), std::pair(0.2, 200), std::pair(0.3, 300),
                                       std::pair(0.333, 333), std::pair(1.0, 1000), std::pair(2.5, 2500)}) {
    CAPTURE(ratio);
    const RetryBudget budget(only(ratio));
    for (int i = 0; i < 1000; ++i) budget.deposit(now);
    CHECK(budget.balance(now) == static_cast<std::uint64_t>(allowed));
    CHECK(drawn(budget, now) == static_cast<std::uint64_t>(allowed));
    CHECK(budget.balance(now) == 0);
  }
}

TEST_CASE("retry budget: a minimum a second, over the window; what is older does not count") {
  Instant now = Instant() + 1h;
  const RetryBudget minimum(only(0, 10));
  CHECK(drawn(minimum, now) == 100);
  now = now + 5s;
  CHECK(drawn(minimum, now) == 0);
  now = now + 5s;
  CHECK(drawn(minimum, now) == 100);
  const RetryBudget calls(only(1, 0, 1s));
  for (int i = 0; i < 7; ++i) calls.deposit(now);
  CHECK(calls.balance(now + 800ms) == 7);
  CHECK(calls.balance(now + 1s) == 0);
  const RetryBudget copy = minimum;
  CHECK(drawn(copy, now) == 0);  // one account
}

TEST_CASE("retry budget: a retry that is not paid for is not made, and the outcome stays") {
  Sim sim;
  MockService mock(sim, {Step(503)});
  const RetryBudget budget(only(0.5));
  const Service service = layered(three(budget), mock);
  for (int i = 0; i < 4; ++i) CHECK(sim.run(service(request()))->status == 503);
  CHECK(mock.asked().size() == 6);  // four calls pay for two retries
}

TEST_CASE("retry budget: three tiers that each retry three times put 1.2 times the load on the last") {
  Sim sim;
  MockService mock(sim, {Step(503)});
  const RetryBudget inner(only(0.05));
  const RetryBudget middle(only(0.05));
  const RetryBudget outer(only(0.05));
  const Service last = layered(three(inner), mock);
  const Service service = layered(three(outer), layered(three(middle), last));
  const int calls = 400;
  for (int i = 0; i < calls; ++i) CHECK(sim.run(service(request()))->status == 503);
  CHECK(mock.asked().size() > calls);
  CHECK(mock.asked().size() <= calls * 12 / 10);
}

TEST_CASE(
    "retry budget: a call through Retry and Hedge with one budget pays once, and through others twice") {
  for (const bool timed : {false, true}) {
    CAPTURE(timed);
    for (const bool shared : {true, false}) {
      CAPTURE(shared);
      Sim sim;
      MockService mock(sim, {Step(503)});
      const RetryBudget budget(only(0.2));
      Hedge hedge;
      hedge.budget = shared ? budget : RetryBudget(only(0.2));
      Service service = layered(three(budget), hedge, mock);
      if (timed) service = layered(Timeout{10s}, service);
      const std::size_t calls = 200;
      for (std::size_t i = 0; i < calls; ++i) CHECK(sim.run(service(request()))->status == 503);
      CHECK(mock.asked().size() > calls * 11 / 10);
      CHECK((mock.asked().size() <= calls * 12 / 10) == shared);
    }
  }
}

TEST_CASE("retry budget: a call is known again by its progress while it has paid, and not after") {
  const RetryBudget budget(only(1));
  const Instant now = Instant() + 1h;
  Request first = request();
  {
    const std::shared_ptr<const void> paid = budget.pay_for(first, now);
    Request inner = first.copy_without_body();
    CHECK(budget.pay_for(inner, now) == nullptr);
    Request attempt = first.copy_without_body();
    attempt.progress = std::make_shared<CallProgress>();
    attempt.progress->whole = first.progress;  // as Hedge makes it
    CHECK(budget.pay_for(attempt, now) == nullptr);
    Request other = request();
    const std::shared_ptr<const void> of_other = budget.pay_for(other, now);
    CHECK(of_other != nullptr);
    CHECK(budget.balance(now) == 2);
  }
  const std::shared_ptr<const void> again = budget.pay_for(first, now);
  CHECK(budget.balance(now) == 3);
}
