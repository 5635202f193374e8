#include <escapement/core/latch.h>

#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

TEST_CASE("Latch: opens at zero, for good, in the order in which tasks came") {
  Sim sim;
  Latch latch(3);
  std::string log;
  auto wait = [](Latch& latch, std::string& log, char name) -> Task<> {
    co_await latch.wait();
    log += name;
  };
  Scope scope(sim.reactor());
  for (const char name : {'a', 'b', 'c'}) scope.spawn(wait(latch, log, name));
  sim.settle();
  latch.count_down();
  CHECK(latch.left() == 2);
  latch.count_down(0);
  sim.settle();
  CHECK(log.empty());
  CHECK_FALSE(latch.open());
  latch.count_down(2);
  CHECK(latch.open());
  CHECK(log.empty());
  sim.settle();
  CHECK(log == "abc");
  CHECK(sim.run(latch.wait()));
}

TEST_CASE("Latch: of zero is open; a cancelled wait does not count") {
  Sim sim;
  Latch open(0);
  CHECK(open.open());
  CHECK(sim.run(open.wait()));
  Latch latch(1);
  CHECK(sim.run(with_timeout(1s, latch.wait())).error() == Errc::timed_out);
  CHECK(latch.left() == 1);
  latch.count_down();
  CHECK(sim.run(latch.wait()));
}
