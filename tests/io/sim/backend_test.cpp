// The simulated clock, and the order of what happens at it.

#include <escapement/io/sim/backend.h>

#include <string>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/streams.h"

using namespace escapement;

namespace {

Task<> wait_for_ever() {
  Event never;
  co_await never.wait();
}

}  // namespace

TEST_CASE("simulated time starts at zero and jumps to what is due") {
  Sim sim;
  CHECK(sim.elapsed() == Duration());
  CHECK(sim.reactor().now() == Instant());
  CHECK(sim.run(sleep(250ms)));
  CHECK(sim.elapsed() == 250ms);
  CHECK(sim.run(sleep(24h * 365)));
  CHECK(sim.elapsed() == Duration(250ms) + Duration(24h * 365));
}

TEST_CASE("the simulated clock can start anywhere") {
  const SimClock clock{.start = Instant::from_nanoseconds(-5), .wall = SystemTime()};
  Sim sim(Seed{1}, {}, clock);
  CHECK(sim.reactor().now().nanoseconds() == -5);
  CHECK(sim.run(sleep(10s)));
  CHECK(sim.elapsed() == 10s);
  CHECK(sim.backend().system_now().unix_milliseconds() == 10'000);
}

TEST_CASE("the simulated wall clock follows") {
  Sim sim;
  CHECK(sim.backend().system_now().rfc3339() == "2026-01-01T00:00:00.000Z");
  CHECK(sim.run(sleep(1500ms)));
  CHECK(sim.backend().system_now().rfc3339() == "2026-01-01T00:00:01.500Z");
}

TEST_CASE("time stands still while anything is ready") {
  Sim sim;
  Scope scope(sim.reactor());
  scope.spawn(sleep(1ms));
  struct Spin {
    static Task<> many() {
      for (int i = 0; i < 1000; ++i) co_await yield();
    }
  };
  CHECK(sim.run(Spin::many()));
  CHECK(sim.elapsed() == Duration());
  CHECK(scope.size() == 1);
}

TEST_CASE("an event that is due comes before time moves") {
  Sim sim;
  Event event;
  sim.backend().schedule(Instant(), [&] { event.set(); });
  struct Waits {
    static Task<> for_event(Event& event) { co_await event.wait(); }
  };
  CHECK(sim.run(with_timeout(1ms, Waits::for_event(event))));
  CHECK(sim.elapsed() == Duration());
}

TEST_CASE("events come in time order, then in the order of scheduling") {
  SimBackend backend;
  test::PipeWorld unused({});
  std::string order;
  backend.schedule(Instant() + 2ms, [&] { order += 'c'; });
  backend.schedule(Instant() + 1ms, [&] { order += 'a'; });
  backend.schedule(Instant() + 1ms, [&] {
    order += 'b';
    backend.schedule(Instant(), [&] { order += 'x'; });
  });
  const SimBackend::EventId gone = backend.schedule(Instant() + 1ms, [&] { order += '!'; });
  backend.unschedule(gone);
  Reactor& reactor = unused.reactor();
  CHECK(backend.wait(reactor, Instant::never()));
  CHECK(order == "ab");
  CHECK(backend.now() == Instant() + 1ms);
  CHECK(backend.wait(reactor, Instant::never()));
  CHECK(order == "abx");
  CHECK(backend.now() == Instant() + 1ms);
  CHECK(backend.wait(reactor, Instant() + 1500us));
  CHECK(backend.now() == Instant() + 1500us);
  CHECK(backend.wait(reactor, Instant::never()));
  CHECK(order == "abxc");
  CHECK_FALSE(backend.wait(reactor, Instant::never()));
}

TEST_CASE("wake makes the next wait return at once, once") {
  Sim sim;
  sim.backend().wake();
  CHECK(sim.backend().wait(sim.reactor(), Instant() + 1s));
  CHECK(sim.elapsed() == Duration());
  CHECK(sim.backend().wait(sim.reactor(), Instant() + 1s));
  CHECK(sim.elapsed() == 1s);
}

TEST_CASE("a task that waits for nothing is reported, not waited for") {
  Sim sim;
  const Result<> outcome = sim.run(wait_for_ever());
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error() == Errc::internal);
}

TEST_CASE("advance runs each thing at its own instant") {
  Sim sim;
  Scope scope(sim.reactor());
  std::vector<Duration> seen;
  struct Ticks {
    static Task<> note(Sim& sim, std::vector<Duration>& seen) {
      for (;;) {
        co_await sleep(30ms);
        seen.push_back(sim.elapsed());
      }
    }
  };
  scope.spawn(Ticks::note(sim, seen));
  sim.advance(29ms);
  CHECK(seen.empty());
  CHECK(sim.elapsed() == 29ms);
  sim.advance(71ms);
  CHECK(seen == std::vector<Duration>{30ms, 60ms, 90ms});
  CHECK(sim.elapsed() == 100ms);
  CHECK(sim.reactor().now() == Instant() + 100ms);
  sim.settle();
  CHECK(sim.elapsed() == 100ms);
}

TEST_CASE("advance runs what was posted") {
  Sim sim;
  int ran = 0;
  sim.reactor().post([&] {
    ++ran;
    sim.reactor().post([&] { ++ran; });
  });
  sim.settle();
  CHECK(ran == 2);
}

TEST_CASE("freeze lets time pass while nothing runs") {
  Sim sim;
  struct Busy {
    static Task<Duration> compute(Sim& sim) {
      Reactor& reactor = co_await this_reactor;
      const Instant before = reactor.now();
      sim.backend().freeze(10s);
      CHECK(reactor.now() == before);
      CHECK(reactor.precise_now() == before + 10s);
      co_await sleep(1s);
      co_return reactor.now() - before;
    }
  };
  Scope scope(sim.reactor());
  scope.spawn(sleep(1ms));
  const Result<Duration> took = sim.run(Busy::compute(sim));
  CHECK(*took == 11s);
  CHECK(scope.empty());
}

TEST_CASE("entropy follows from the seed") {
  SimBackend one(Seed{1});
  SimBackend same(Seed{1});
  SimBackend other(Seed{2});
  const std::uint64_t first = one.entropy();
  CHECK(first == same.entropy());
  CHECK(first != other.entropy());
  CHECK(first != one.entropy());
}
