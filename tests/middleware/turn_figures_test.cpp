// Watched turns, in simulated time that a task can make pass while it runs.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim.h>
#include <escapement/middleware/turn_figures.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

struct Recorder final : TurnWatcher {
  void turn_ended(const Turn& turn) override { turns.push_back(turn); }
  std::vector<Turn> turns;
};

Task<> busy(Sim& sim, Duration after, Duration length) {
  co_await sleep(after);
  sim.backend().freeze(length);
  co_await sleep(1h);  // suspended there, so that its frame still says where it is
}

}  // namespace

TEST_CASE("turns: length, what ran, timers, lateness, and the one that took longest") {
  Sim sim;
  Recorder recorder;
  sim.reactor().watch_turns(&recorder);
  Scope scope(sim.reactor());
  scope.spawn(busy(sim, 10ms, 30ms));
  scope.spawn(busy(sim, 10ms, 5ms));
  scope.spawn(busy(sim, 20ms, 1ms));  // due while the first two run
  sim.advance(100ms);
  sim.reactor().watch_turns(nullptr);
  REQUIRE(recorder.turns.size() >= 3);
  const Turn& spawned = recorder.turns[0];
  CHECK(spawned.resumed == 3);
  CHECK(spawned.timers == 0);
  CHECK(spawned.length == Duration());
  const Turn& first = recorder.turns[1];
  CHECK(first.began == Instant() + 10ms);
  CHECK(first.length == 35ms);
  CHECK(first.resumed == 2);
  CHECK(first.timers == 2);
  CHECK(first.lateness == Duration());
  CHECK(first.longest == 30ms);
  CHECK(first.longest_code != nullptr);
  const Turn& second = recorder.turns[2];
  CHECK(second.began == Instant() + 45ms);
  CHECK(second.lateness == 25ms);
  CHECK(second.length == 1ms);
  CHECK(second.longest_code == first.longest_code);  // the same coroutine
  const std::size_t watched = recorder.turns.size();
  sim.advance(2h);
  CHECK(recorder.turns.size() == watched);
}

TEST_CASE("turn figures: metrics, and a watchdog that names long turns only") {
  Sim sim;
  std::vector<std::string> told;
  TurnFigures figures(20ms, [&](const Turn& turn) { told.push_back(describe(turn)); });
  sim.reactor().watch_turns(&figures);
  const http::Metrics metrics;
  figures.add_to(metrics, sim.timers());
  Scope scope(sim.reactor());
  scope.spawn(busy(sim, 10ms, 30ms));
  scope.spawn(busy(sim, 50ms, 20ms));
  scope.spawn(busy(sim, 15ms, 0ms));
  sim.advance(100ms);
  CHECK(told == std::vector<std::string>{"a turn of 30.0 ms; 1 things ran, the longest 30.0 ms"});
  const std::string text = metrics.sample().text();
  CAPTURE(text);
  for (const char* line : {"\nreactor_long_turns_total 1\n", "\ntimers_fired_total 3\n", "\ntimers_live 3\n",
                           "\nreactor_turn_seconds_total 0.05\n", "\ntimer_lateness_seconds_total 0.025\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != text.npos);
  }
  sim.reactor().watch_turns(nullptr);
}
