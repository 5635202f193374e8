// The backend for a loop that somebody else owns: what it asks of the host's timer, and clocks that
// misbehave.

#include <limits>
#include <vector>

#include <cmath>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/wheel.h>
#include <escapement/wasm_glue/host_backend.h>

using namespace escapement;

namespace {

constexpr Instant at(Duration since) { return Instant() + since; }

struct FakeHost final : Host {
  double now() override { return milliseconds; }
  double wall() override { return 0; }
  double random() override { return 0.5; }
  double milliseconds = 0;
};

}  // namespace

TEST_CASE("host_delay: milliseconds, at most what setTimeout takes") {
  CHECK(host_delay(at(5ms), at(5ms)) == 0);
  CHECK(host_delay(at(5ms), at(1ms)) == 0);
  CHECK(host_delay(at(5ms), at(5ms + 250us)) == 0.25);
  CHECK(host_delay(at(5ms), at(6ms)) == 1);
  CHECK(host_delay(at(5ms), at(6ms + 500us)) == 1.5);
  constexpr double most = 2147483647;
  CHECK(host_delay(Instant(), at(Duration(1ms) * 2147483647)) == most);
  CHECK(host_delay(Instant(), at(Duration(1ms) * 2147483648)) == most);
  CHECK(host_delay(Instant(), at(Duration::max() - 1ns)) == most);
  CHECK(host_delay(Instant(), Instant::never()) == -1);
}

TEST_CASE("host: a timer beyond 2^31 ms takes several of the host's, and is not early") {
  FakeHost host;
  HostBackend backend(host);
  TimerWheel wheel(backend.now());
  Reactor reactor(backend, wheel);
  Scope scope(reactor);
  bool fired = false;
  const Duration length = Duration(24h) * 60;
  auto nap = [&]() -> Task<> {
    co_await sleep(length);
    fired = true;
  };
  scope.spawn(nap());
  int timers = 0;
  while (!fired) {
    const Instant next = reactor.step();
    if (fired) break;
    REQUIRE(host.milliseconds < length.milliseconds());
    const double delay = host_delay(reactor.now(), next);
    REQUIRE(delay <= 2147483647);
    host.milliseconds += std::ceil(delay);
    REQUIRE(++timers < 10);
  }
  CHECK(timers == 3);
  CHECK(host.milliseconds == length.milliseconds());
}

TEST_CASE("host: a clock that goes back or jumps ahead: everything due fires once, in order") {
  FakeHost host;
  HostBackend backend(host);
  TimerWheel wheel(backend.now());
  Reactor reactor(backend, wheel);
  Scope scope(reactor);
  std::vector<int> fired;
  auto nap = [&](int i) -> Task<> {
    co_await sleep(Duration(10ms) * i);
    fired.push_back(i);
  };
  for (int i = 9; i > 0; --i) scope.spawn(nap(i));
  reactor.step();
  host.milliseconds = 25;
  reactor.step();
  CHECK(fired == std::vector<int>{1, 2});
  host.milliseconds = 3;
  reactor.step();
  CHECK(backend.now() == at(25ms));
  host.milliseconds = 3'600'000;
  reactor.step();
  reactor.step();
  CHECK(fired == std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(reactor.step() == Instant::never());
}
