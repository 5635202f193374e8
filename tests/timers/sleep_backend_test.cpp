// SleepBackend: timers on the standard library's clock alone. Real time, so lower bounds and order only.
#include <catch2/catch_test_macros.hpp>

#include <thread>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/core/remote.h>
#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/sleep_backend.h>
#include <escapement/timers/timeout.h>
#include <escapement/timers/wheel.h>

using namespace escapement;

namespace {

struct World {
  SleepBackend backend;
  TimerWheel wheel;
  Reactor reactor{backend, wheel};
};

}  // namespace

TEST_CASE("SleepBackend: sleeps end in order, and never early") {
  World world;
  std::vector<int> ended;
  const Instant began = world.backend.now();
  std::vector<Duration> took;
  const auto nap = [&](int length) -> Task<> {
    co_await sleep_until(began + std::chrono::milliseconds(length));  // in order however slow the machine is
    ended.push_back(length);
    took.push_back(world.backend.now() - began);
  };
  REQUIRE(world.reactor.run([&]() -> Task<> {
    Scope scope(world.reactor);
    for (const int length : {9, 3, 6}) scope.spawn(nap(length));
    co_await scope.join();
  }));
  CHECK(ended == std::vector<int>{3, 6, 9});
  for (std::size_t i = 0; i < took.size(); ++i)
    CHECK(took[i] >= Duration(std::chrono::milliseconds(ended[i])));
}

TEST_CASE("SleepBackend: another thread's post ends a sleep without a deadline") {
  World world;
  Event posted;
  Remote remote = world.reactor.remote();
  bool reached = false;
  std::jthread other([&] { reached = remote.post([&posted] { posted.set(); }); });
  REQUIRE(world.reactor.run([&]() -> Task<> { co_await posted.wait(); }));
  other.join();
  CHECK(reached);
}

TEST_CASE("SleepBackend: a limit expires, and a far deadline is no busy loop") {
  World world;
  const Result<> outcome =
      world.reactor.run([&]() -> Task<> { co_await with_timeout(2ms, sleep(Duration::max())); });
  REQUIRE(!outcome);
  CHECK(outcome.error().code() == Errc::timed_out);
}

TEST_CASE("SleepBackend: a step does not sleep, and says when to call again") {
  World world;
  Scope scope(world.reactor);
  scope.spawn([]() -> Task<> { co_await sleep(1h); });
  Instant next = world.reactor.step();
  while (next <= world.backend.now()) next = world.reactor.step();
  CHECK(next - world.backend.now() > Duration(59min));
  CHECK(next - world.backend.now() <= Duration(1h));
}

TEST_CASE("SleepBackend: clocks and entropy are those of the machine") {
  SleepBackend backend;
  const Instant first = backend.now();
  CHECK(backend.now() >= first);
  CHECK(backend.system_now().unix_milliseconds() > 1'700'000'000'000);
  CHECK(backend.entropy() != backend.entropy());
}
