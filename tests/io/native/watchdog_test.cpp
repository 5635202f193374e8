// The watchdog: a turn beyond its limit is reported with the tasks, others are not.

#include <escapement/io/native/watchdog.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/core/task_tree.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

Turn turn_of(Duration length) {
  Turn turn;
  turn.length = length;
  turn.resumed = 3;
  turn.longest = length / 2;
  return turn;
}

}  // namespace

TEST_CASE("watchdog: reports what is longer than its limit, with the tasks that wait") {
  Sim sim;
  Scope scope(sim.reactor());
  scope.spawn(sleep(1h));
  sim.settle();
  std::vector<std::string> reports;
  Watchdog watchdog(sim.reactor(), 100ms, [&](std::string_view text) { reports.emplace_back(text); });
  watchdog.turn_ended(turn_of(100ms));
  CHECK(reports.empty());
  watchdog.turn_ended(turn_of(101ms));
  REQUIRE(reports.size() == 1);
  CAPTURE(reports.front());
  CHECK(reports.front().starts_with(
      "escapement: a turn of 101.0 ms; 3 things ran, the longest 50.5 ms, at unknown code\n"));
  CHECK((reports.front().find("timer") != std::string::npos) == task_tree_built);
}

#ifdef __cpp_exceptions
TEST_CASE("watchdog: a report that throws is dropped") {
  Sim sim;
  Watchdog watchdog(sim.reactor(), 1ms, [](std::string_view) { throw std::runtime_error("a full disk"); });
  watchdog.turn_ended(turn_of(2ms));
}
#endif

TEST_CASE("watchdog: a Loop watches its turns where it is told to") {
  LoopOptions options;
  options.turn_max = 1h;
  Result<std::unique_ptr<Loop>> watched = Loop::make(options);
  REQUIRE(watched);
  CHECK((*watched)->reactor().turns_watched());
  options.turn_max = Duration::max();
  Result<std::unique_ptr<Loop>> unwatched = Loop::make(options);
  REQUIRE(unwatched);
  CHECK_FALSE((*unwatched)->reactor().turns_watched());
}
