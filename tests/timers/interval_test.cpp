// Interval in simulated time: exact to the nanosecond.

#include <escapement/timers/interval.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

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
