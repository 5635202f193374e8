// Delay in simulated time: exact to the nanosecond, wherever the deadline is moved.

#include <escapement/timers/delay.h>

#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

static_assert(Operation<Delay::Wait>);

namespace {

Task<> note_end(Sim& sim, Delay& delay, std::vector<Duration>& ends) {
  co_await delay.wait();
  ends.push_back(sim.elapsed());
}

}  // namespace

TEST_CASE("Delay: is awaited again and again, each time until its deadline") {
  Sim sim;
  Delay delay;
  CHECK(delay.deadline() == Instant::never());
  auto run = [&]() -> Task<> {
    for (int i = 1; i <= 100; ++i) {
      delay.reset(Instant() + Duration(10ms) * i);
      co_await delay.wait();
      if (sim.elapsed() != Duration(10ms) * i) co_await Error(Errc::internal, "at another time");
    }
    co_await delay.wait();  // the deadline has passed, and stays
    co_await delay.wait();
  };
  CHECK(sim.run(run()));
  CHECK(sim.elapsed() == 1s);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("Delay: the deadline moves later and earlier while a task waits") {
  Sim sim;
  Delay delay(Instant() + 10ms);
  std::vector<Duration> ends;
  Scope scope(sim.reactor());
  scope.spawn(note_end(sim, delay, ends));
  sim.advance(9ms);
  delay.reset(Instant() + 20ms);
  sim.advance(9ms);
  delay.reset(Instant() + 1h);
  sim.advance(9ms);
  delay.reset(Instant() + 30ms);
  CHECK(ends.empty());
  sim.advance(1s);
  CHECK(ends == std::vector<Duration>{30ms});
  delay.reset(Instant() + 2s);  // while nobody waits
  CHECK(sim.timers().size() == 0);
  scope.spawn(note_end(sim, delay, ends));
  sim.advance(2s);
  CHECK(ends == std::vector<Duration>{30ms, 2s});
}

TEST_CASE("Delay: a deadline that has passed ends the wait at once, never() suspends it") {
  Sim sim;
  sim.advance(1s);
  Delay delay(Instant() + 2s);
  std::vector<Duration> ends;
  Scope scope(sim.reactor());
  scope.spawn(note_end(sim, delay, ends));
  sim.settle();
  delay.reset(Instant::never());
  CHECK(sim.timers().size() == 0);
  sim.advance(1h);
  CHECK(ends.empty());
  delay.reset(Instant() + 1ms);
  CHECK(ends.empty());
  sim.settle();
  CHECK(ends == std::vector<Duration>{3601s});
}

TEST_CASE("Delay: a task that was woken and has not run goes on waiting if the deadline is moved") {
  Sim sim;
  Delay delay(Instant() + 10ms);
  std::vector<Duration> ends;
  Scope scope(sim.reactor());
  auto moves = [&]() -> Task<> {
    co_await sleep(10ms);  // due before the delay in the same turn
    delay.reset(Instant() + 25ms);
  };
  scope.spawn(moves);
  scope.spawn(note_end(sim, delay, ends));
  CHECK(sim.run(scope.join()));
  CHECK(ends == std::vector<Duration>{25ms});
}

TEST_CASE("Delay: a cancelled wait takes its timer along; the deadline stays") {
  Sim sim;
  Delay delay(Instant() + 10s);
  CHECK(sim.run(with_timeout(1s, delay.wait())).error() == Errc::timed_out);
  CHECK(sim.timers().size() == 0);
  Event stop;
  auto run = [&]() -> Task<std::size_t> {
    std::variant<std::monostate, std::monostate> first = co_await select(delay.wait(), stop.wait());
    co_return first.index();
  };
  CHECK(*sim.run(run()) == 0);
  CHECK(sim.elapsed() == 10s);
  Scope scope(sim.reactor());
  delay.reset(Instant() + 11s);
  scope.spawn(delay.wait());
  sim.settle();
  scope.cancel();
  delay.reset(Instant() + 12s);
  CHECK(sim.run(delay.wait()));
  CHECK(sim.elapsed() == 12s);
}

TEST_CASE("Delay: an idle limit that every message moves ends after the last one") {
  Sim sim;
  Delay idle(Instant() + 30s);
  auto messages = [&]() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    for (int i = 0; i < 1000; ++i) {
      co_await sleep(100ms);
      idle.reset(reactor.precise_now() + 30s);
    }
  };
  CHECK(sim.run(all(messages(), idle.wait())));
  CHECK(sim.elapsed() == 130s);
}
