// sleep and sleep_until in simulated time: exact to the nanosecond.

#include <escapement/timers/sleep.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>

using namespace escapement;

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
