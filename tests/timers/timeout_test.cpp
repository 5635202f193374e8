// with_timeout in simulated time: exact to the nanosecond.

#include <escapement/timers/timeout.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

Task<int> after(Duration length, int value) {
  co_await sleep(length);
  co_return value;
}
}  // namespace

TEST_CASE("with_timeout: the operation, the limit, ties, nesting") {
  Sim sim;
  CHECK(*sim.run(with_timeout(100ms, after(50ms, 42))) == 42);
  CHECK(sim.elapsed() == 50ms);
  Result<int> late = sim.run(with_timeout(1s, after(1h, 1)));
  CHECK(late.error() == Errc::timed_out);
  CHECK(late.error().message() == "nothing within 1s");
  CHECK(sim.elapsed() == 1050ms);
  auto at_once = []() -> Task<int> { co_return 7; };
  CHECK(*sim.run(with_timeout(Duration(), at_once())) == 7);
  CHECK(*sim.run(with_timeout(10ms, after(10ms, 8))) == 8);  // due in the same turn: the operation wins
  auto deep = []() -> Task<int> {
    const int n = co_await after(10ms, 9);
    co_return n;
  };
  CHECK(*sim.run(with_timeout(10ms, deep())) == 9);
  CHECK(sim.run(with_timeout(5ms, with_timeout(20ms, after(1h, 1)))).error().message() ==
        "nothing within 5ms");
  CHECK(sim.run(with_timeout(20ms, with_timeout(5ms, after(1h, 1)))).error().message() ==
        "nothing within 5ms");
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("with_timeout: a computation before it does not shorten the limit") {
  Sim sim;
  auto work = [&]() -> Task<int> {
    sim.backend().freeze(40ms);
    co_return co_await with_timeout(10ms, after(5ms, 42));
  };
  CHECK(*sim.run(work()) == 42);
  CHECK(sim.elapsed() == 45ms);
}

TEST_CASE("with_timeout: the error says as data which limit it was, and the message its exact length") {
  Sim sim;
  const Result<int> late = sim.run(with_timeout(1s, after(1h, 1)));
  CHECK(late.error().limit() == TimeLimit::operation);
  CHECK(late.error().limit_length() == 1s);
  CHECK(late.error().elapsed() >= 1s);
  const std::pair<Duration, const char*> rows[] = {
      {1s, "nothing within 1s"},         {90s, "nothing within 90s"}, {1500ms, "nothing within 1500ms"},
      {Duration(), "nothing within 0s"}, {-5s, "nothing within 0s"},  {1ns, "nothing within 1ns"},
      {1001us, "nothing within 1001us"},
  };
  for (const auto& [limit, message] : rows) {
    CHECK(sim.run(with_timeout(limit, after(1h, 1))).error().message() == message);
  }
}

TEST_CASE("with_timeout: without a limit no timer is armed; the operation is gone before it is reported") {
  Sim sim;
  Scope scope(sim.reactor());
  Event event;
  auto waits = [](Event& event) -> Task<> { co_await event.wait(); };
  scope.spawn(with_timeout(Duration::max(), waits(event)));
  sim.settle();
  CHECK(sim.timers().size() == 0);
  scope.cancel();

  bool alive = false;
  auto marked = [](bool& alive) -> Task<> {
    struct Mark {
      explicit Mark(bool& f) : flag(f) { flag = true; }
      ~Mark() { flag = false; }
      bool& flag;
    } mark(alive);
    co_await sleep(1h);
  };
  auto run = [&]() -> Task<bool> {
    Result<> result = co_await with_timeout(1ms, marked(alive)).result();
    co_return !result && !alive;
  };
  CHECK(*sim.run(run()));
}

TEST_CASE("timeout_at: several operations share a deadline; the failure is that of with_timeout") {
  Sim sim;
  const Instant deadline = Instant() + 100ms;
  CHECK(*sim.run(timeout_at(deadline, after(50ms, 42))) == 42);
  CHECK(sim.elapsed() == 50ms);
  Result<int> late = sim.run(timeout_at(deadline, after(1h, 1)));
  CHECK(sim.elapsed() == 100ms);
  REQUIRE(!late);
  CHECK(late.error() == Errc::timed_out);
  CHECK(late.error().message() == "nothing within 50ms");
  CHECK(late.error().limit() == TimeLimit::operation);
  CHECK(late.error().limit_length() == 50ms);
  CHECK(late.error().elapsed() == 50ms);
  Result<int> too_late = sim.run(timeout_at(deadline - 1s, after(1h, 1)));
  CHECK(too_late.error().message() == "nothing within 0s");
  CHECK(sim.elapsed() == 100ms);
  auto at_once = []() -> Task<int> { co_return 7; };
  CHECK(*sim.run(timeout_at(deadline, at_once())) == 7);
  CHECK(*sim.run(timeout_at(deadline + 10ms, after(10ms, 8))) == 8);  // the task wins ties
  CHECK(sim.run(timeout_at(sim.reactor().now() + 1s, sleep(2s))).error() == Errc::timed_out);
  CHECK(sim.run(timeout_at(sim.reactor().now() + 2s, sleep(1s))));
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("timeout_at: never() is no limit, and cancelling destroys the operation") {
  Sim sim;
  Event event;
  Scope scope(sim.reactor());
  scope.spawn(timeout_at(Instant::never(), event.wait()));
  sim.settle();
  CHECK(sim.timers().size() == 0);
  CHECK(scope.size() == 1);
  scope.cancel();
  scope.spawn(timeout_at(Instant() + 1s, event.wait()));
  sim.settle();
  scope.cancel();
  CHECK(sim.timers().size() == 0);
}
