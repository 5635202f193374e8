// sleep, with_timeout, Interval in simulated time: exact to the nanosecond.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/interval.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

Task<int> after(Duration length, int value) {
  co_await sleep(length);
  co_return value;
}
}  // namespace

TEST_CASE("sleep: as long as it says; zero, negative and for ever") {
  Sim sim;
  REQUIRE(sim.run(sleep(250ms)));
  CHECK(sim.elapsed() == 250ms);
  REQUIRE(sim.run(sleep(Duration())));
  REQUIRE(sim.run(sleep(-5s)));
  CHECK(sim.elapsed() == 250ms);
  CHECK(sim.run(sleep(Duration::max())).error() == Errc::internal);  // stalls: nothing will ever come
  auto past = []() -> Task<> { co_await sleep_until(Instant()); };
  REQUIRE(sim.run(past()));
  CHECK(sim.elapsed() == 250ms);
}

TEST_CASE("sleep: a computation before it does not shorten it") {
  Sim sim;
  auto work = [&]() -> Task<> {
    sim.backend().freeze(40ms);
    co_await sleep(10ms);
  };
  REQUIRE(sim.run(work()));
  CHECK(sim.elapsed() == 50ms);
}

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

TEST_CASE("Interval: a thousand ticks do not drift; the three policies") {
  Sim sim;
  auto thousand = []() -> Task<> {
    Interval tick(10ms);
    for (int i = 0; i < 1000; ++i) {
      const Instant due = co_await tick.next();
      if (due != Instant() + Duration(10ms) * i) co_await Error(Errc::internal, "drift");
      co_await sleep(3ms);
    }
  };
  REQUIRE(sim.run(thousand()));
  CHECK(sim.elapsed() == 9'993ms);

  const auto ticks_after_freeze = [](Missed missed) {
    Sim sim;
    std::vector<std::int64_t> at;
    auto run = [&]() -> Task<> {
      Interval tick(10ms, missed);
      co_await tick.next();
      sim.backend().freeze(35ms);
      for (int i = 0; i < 5; ++i) {
        co_await tick.next();
        at.push_back(sim.elapsed().count() / 1'000'000);
      }
    };
    REQUIRE(sim.run(run()));
    return at;
  };
  CHECK(ticks_after_freeze(Missed::burst) == std::vector<std::int64_t>{35, 35, 35, 40, 50});
  CHECK(ticks_after_freeze(Missed::delay) == std::vector<std::int64_t>{35, 45, 55, 65, 75});
  CHECK(ticks_after_freeze(Missed::skip) == std::vector<std::int64_t>{35, 40, 50, 60, 70});
}

TEST_CASE("Interval: a cancelled wait loses no tick") {
  Sim sim;
  Interval tick(10ms);
  auto run = [&]() -> Task<Instant> {
    co_await tick.next();
    Result<Instant> cut = co_await with_timeout(4ms, tick.next()).result();
    co_return co_await tick.next();
  };
  CHECK(*sim.run(run()) == Instant() + Duration(10ms));
}
