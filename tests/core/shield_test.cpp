// shield: the task outlives the one that waits for it, and its failure goes to the scope then.

#include <escapement/core/shield.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

Task<std::unique_ptr<int>> make_later(Duration after, bool& done) {
  co_await sleep(after);
  done = true;
  co_return std::make_unique<int>(5);
}

Task<int> failing(Duration after) {
  co_await sleep(after);
  co_await Error(Errc::reset, "on purpose");
  co_return 0;
}

}  // namespace

TEST_CASE("shield: yields the value, or fails with the failure") {
  Sim sim;
  Scope scope(sim.reactor(), [](const Error&) { FAIL("the waiting task takes it"); });
  bool done = false;
  Result<std::unique_ptr<int>> value = sim.run(shield(scope, make_later(1ms, done)));
  CHECK(**value == 5);
  CHECK(sim.run(shield(scope, failing(1ms))).error() == Errc::reset);
  CHECK(sim.run(shield(scope, sleep(1ms))));
  const std::string text = "captured, in memory of its own, by the function";
  CHECK(*sim.run(shield(scope, [text]() -> Task<std::string> {
    co_await sleep(1ms);
    co_return text;
  })) == text);
}

TEST_CASE("shield: the task goes on when the one that waits is cancelled") {
  Sim sim;
  Scope scope(sim.reactor());
  bool done = false;
  CHECK(sim.run(with_timeout(1ms, shield(scope, make_later(5ms, done)))).error() == Errc::timed_out);
  CHECK_FALSE(done);
  CHECK(scope.size() == 1);
  CHECK(sim.run(scope.join()));
  CHECK(done);
  CHECK(sim.elapsed() == 5ms);
}

TEST_CASE("shield: a failure that comes after that is the scope's") {
  Sim sim;
  std::vector<std::string> told;
  Scope hooked(sim.reactor(), [&](const Error& error) { told.push_back(to_string(error)); });
  CHECK(sim.run(with_timeout(1ms, shield(hooked, failing(5ms)))).error() == Errc::timed_out);
  CHECK(told.empty());
  CHECK(sim.run(hooked.join()));
  CHECK(told == std::vector<std::string>{"reset: on purpose"});

  Scope joined(sim.reactor());
  CHECK(sim.run(with_timeout(1ms, shield(joined, failing(5ms)))).error() == Errc::timed_out);
  CHECK(sim.run(joined.join()).error() == Errc::reset);
}

TEST_CASE("shield: a failure that was there when the one that waits was cancelled is reported") {
  Sim sim;
  std::vector<std::string> lost;
  sim.reactor().on_unhandled_failure([&](const Error& error) { lost.push_back(to_string(error)); });
  Scope scope(sim.reactor());
  Scope waiters(sim.reactor());
  JoinHandle<int> waiter = waiters.spawn_joinable(shield(scope, failing(1ms)));
  sim.settle();
  waiters.spawn([&]() -> Task<> {
    co_await sleep(1ms);  // runs after the failing task, before its waiter
    waiter.cancel();
  });
  sim.advance(2ms);
  CHECK(waiter.finished());
  CHECK(lost == std::vector<std::string>{"reset: on purpose"});
}

TEST_CASE("shield: one that was never started starts nothing") {
  Sim sim;
  Scope scope(sim.reactor());
  bool done = false;
  {
    const auto never = shield(scope, make_later(Duration(), done));
    CHECK(scope.empty());
  }
  sim.settle();
  CHECK_FALSE(done);
}

TEST_CASE("shield: the scope that cancels the task, or ends, fails the one that waits") {
  Sim sim;
  std::optional<Scope> scope(std::in_place, sim.reactor());
  Scope waiters(sim.reactor());
  bool done = false;
  auto waiter = waiters.spawn_joinable(shield(*scope, make_later(1h, done)));
  sim.settle();
  scope->cancel(Error(Errc::limit_exceeded, "too much"));
  const Error error = sim.run(std::move(waiter).join()).error();
  CHECK(error == Errc::cancelled);
  CHECK(*error.reason() == Errc::limit_exceeded);

  waiter = waiters.spawn_joinable(shield(*scope, make_later(1h, done)));
  sim.settle();
  scope.reset();
  CHECK(sim.run(std::move(waiter).join()).error() == Errc::cancelled);
  CHECK_FALSE(done);
}
