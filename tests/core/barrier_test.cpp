#include <escapement/core/barrier.h>

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

static_assert(Operation<Barrier::Arrival>);

TEST_CASE("Barrier: nobody begins a phase before all have ended the last one") {
  Sim sim;
  Barrier barrier(4);
  std::vector<int> phases;
  int last_ones = 0;
  auto part = [&](int number) -> Task<> {
    for (int phase = 0; phase < 10; ++phase) {
      co_await sleep(Duration(1ms) * ((number * 7 + phase) % 5));
      phases.push_back(phase);
      const bool last = co_await barrier.arrive_and_wait();
      if (last) ++last_ones;
    }
  };
  Scope scope(sim.reactor());
  for (int i = 0; i < 4; ++i) scope.spawn(part(i));
  CHECK(sim.run(scope.join()));
  REQUIRE(phases.size() == 40);
  for (std::size_t i = 0; i < 40; ++i) CHECK(phases[i] == static_cast<int>(i / 4));
  CHECK(last_ones == 10);
  CHECK(barrier.arrived() == 0);
}

TEST_CASE("Barrier: a cancelled task has not arrived; one that was released stays released") {
  Sim sim;
  Barrier barrier(2);
  std::string log;
  auto arrive = [](Barrier& barrier, std::string& log, char name) -> Task<> {
    const bool last = co_await barrier.arrive_and_wait();
    log += name;
    if (last) log += '!';
  };
  Scope scope(sim.reactor());
  CHECK(sim.run(with_timeout(1s, barrier.arrive_and_wait())).error() == Errc::timed_out);
  CHECK(barrier.arrived() == 0);
  scope.spawn(arrive(barrier, log, 'a'));
  sim.settle();
  CHECK(barrier.arrived() == 1);
  CHECK(log.empty());
  scope.spawn(arrive(barrier, log, 'b'));
  sim.settle();
  CHECK(log == "b!a");
  scope.spawn(arrive(barrier, log, 'c'));
  sim.settle();
  Result<bool> last = sim.run(barrier.arrive_and_wait());
  CHECK(*last);
  scope.cancel();  // whether c has run or not
  CHECK(barrier.arrived() == 0);
  Barrier alone(1);
  CHECK(*sim.run(alone.arrive_and_wait()));
}
