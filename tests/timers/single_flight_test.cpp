// SingleFlight and TokenBucket: within a reactor, and across the reactors of an isolate.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/single_flight.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/token_bucket.h>

using namespace escapement;

namespace {

// Two reactors on one clock, as two requests of an isolate have: nothing of one runs while the other does.
struct Isolate {
  Sim sim;
  TimerWheel wheel{sim.backend().now()};
  Reactor other{sim.backend(), wheel};

  void advance(Duration length) {
    for (const Instant end = sim.backend().now() + length; sim.backend().now() < end;) {
      for (int i = 0; i < 4; ++i) {
        sim.reactor().step();
        other.step();
      }
      sim.backend().freeze(1ms);
    }
  }
};

struct Load {
  int calls = 0;
  bool fails = false;
  Task<std::string> operator()() {
    const int own = ++calls;
    co_await sleep(100ms);
    if (fails) co_return Error(Errc::unavailable, "the origin");
    co_return "value " + std::to_string(own);
  }
};

}  // namespace

TEST_CASE("SingleFlight: one task loads, the others wait; the value is kept for its time") {
  Sim sim;
  SingleFlight<std::string> cache({.ttl = 1s});
  Load load;
  std::vector<std::string> values;
  Scope scope(sim.reactor());
  for (int i = 0; i < 10; ++i) {
    scope.spawn([&]() -> Task<> {
      std::string value = co_await cache.get("key", [&load] { return load(); });
      values.push_back(value);
    });
  }
  sim.advance(100ms);
  CHECK(values == std::vector<std::string>(10, "value 1"));
  CHECK(*sim.run(cache.get("key", [&load] { return load(); })) == "value 1");
  sim.advance(1s);
  CHECK(*sim.run(cache.get("key", [&load] { return load(); })) == "value 2");
  CHECK(*sim.run(cache.get("other", [&load] { return load(); })) == "value 3");
  cache.forget("key");
  CHECK(*sim.run(cache.get("key", [&load] { return load(); })) == "value 4");
}

TEST_CASE("SingleFlight: a failure is everybody's who waits, and is not kept") {
  Sim sim;
  SingleFlight<std::string> cache;
  Load load;
  load.fails = true;
  int failures = 0;
  Scope scope(sim.reactor());
  for (int i = 0; i < 10; ++i) {
    scope.spawn([&]() -> Task<> {
      Result<std::string> value = co_await cache.get("key", [&load] { return load(); }).result();
      if (!value && value.error() == Errc::unavailable) ++failures;
    });
  }
  sim.advance(100ms);
  CHECK(failures == 10);
  CHECK(load.calls == 1);
  CHECK(cache.size() == 0);
  load.fails = false;
  CHECK(*sim.run(cache.get("key", [&load] { return load(); })) == "value 2");
}

TEST_CASE("SingleFlight: a leader that is cancelled hands over, in its reactor and to another one") {
  Isolate isolate;
  SingleFlight<std::string> cache;
  Load load;
  std::string first;
  std::string second;
  Scope leader(isolate.sim.reactor());
  Scope followers(isolate.sim.reactor());
  Scope others(isolate.other);
  const auto get = [&](std::string& into) -> Task<> {
    std::string value = co_await cache.get("key", [&load] { return load(); });
    into = value;
  };
  std::string never;
  leader.spawn(get(never));
  isolate.advance(10ms);
  const bool same = GENERATE(true, false);
  if (same) followers.spawn(get(first));
  others.spawn(get(second));
  isolate.advance(10ms);
  leader.cancel();
  isolate.advance(160ms);
  CHECK(load.calls == 2);
  CHECK(second == "value 2");
  CHECK(first == (same ? "value 2" : ""));
  CHECK(never.empty());
}

TEST_CASE("SingleFlight: a request that its host dropped without a word is not waited for") {
  Isolate isolate;
  SingleFlight<std::string> cache({.lease = 1s});
  Load load;
  TimerWheel wheel(isolate.sim.backend().now());
  Reactor dropped(isolate.sim.backend(), wheel);
  Scope leader(dropped);
  std::string value;
  const auto get = [&]() -> Task<> {
    std::string got = co_await cache.get("key", [&load] { return load(); });
    value = got;
  };
  leader.spawn(get());
  dropped.step();  // for the last time
  Scope followers(isolate.other);
  followers.spawn(get());
  isolate.advance(990ms);
  CHECK(load.calls == 1);
  isolate.advance(150ms);
  CHECK(value == "value 2");
}

TEST_CASE("SingleFlight: values beyond the limit go, the one that expires first") {
  Sim sim;
  SingleFlight<int> cache({.values_max = 2});
  int loads = 0;
  const auto get = [&](std::string key) {
    return *sim.run(cache.get(std::move(key), [&loads]() -> Task<int> { co_return ++loads; }));
  };
  get("a");
  sim.advance(1ms);
  get("b");
  sim.advance(1ms);
  get("c");
  CHECK(cache.size() == 2);
  CHECK(get("b") == 2);
  CHECK(get("a") == 4);
}

TEST_CASE("SingleFlight: without a time, only those that wait get the value") {
  Sim sim;
  SingleFlight<std::string> cache({.ttl = Duration()});
  Load load;
  CHECK(*sim.run(cache.get("key", [&load] { return load(); })) == "value 1");
  CHECK(cache.size() == 0);
  CHECK(*sim.run(cache.get("key", [&load] { return load(); })) == "value 2");
}

TEST_CASE("TokenBucket: a burst, then the rate, in order") {
  Sim sim;
  TokenBucket bucket({.per_second = 10, .burst = 5});
  std::vector<std::pair<int, Duration>> taken;
  Scope scope(sim.reactor());
  for (int i = 0; i < 15; ++i) {
    scope.spawn([&, i]() -> Task<> {
      co_await bucket.take();
      taken.emplace_back(i, sim.elapsed());
    });
  }
  sim.advance(2s);
  REQUIRE(taken.size() == 15);
  for (int i = 0; i < 15; ++i) {
    CHECK(taken[static_cast<std::size_t>(i)].first == i);
    const Duration due = Duration(100ms) * std::max(0, i - 4);
    CHECK(taken[static_cast<std::size_t>(i)].second >= due);
    CHECK(taken[static_cast<std::size_t>(i)].second < due + 1ms);
  }
  CHECK(bucket.try_take(sim.reactor()));
}

TEST_CASE("TokenBucket: the next one moves up when one is cancelled, also in another reactor") {
  Isolate isolate;
  TokenBucket bucket({.per_second = 10, .burst = 1});
  REQUIRE(bucket.try_take(isolate.sim.reactor()));
  Scope first(isolate.sim.reactor());
  Scope second(isolate.other);
  Duration at;
  first.spawn(bucket.take());
  isolate.advance(1ms);
  second.spawn([&]() -> Task<> {
    co_await bucket.take();
    at = isolate.sim.elapsed();
  });
  isolate.advance(20ms);
  CHECK(bucket.waiting() == 2);
  first.cancel();
  isolate.advance(200ms);
  CHECK(at >= 100ms);
  CHECK(at < 152ms);
}

TEST_CASE("TokenBucket: refuses those who are too many") {
  Sim sim;
  TokenBucket bucket({.per_second = 1, .burst = 1, .waiting_max = 1});
  REQUIRE(bucket.try_take(sim.reactor()));
  Scope scope(sim.reactor());
  scope.spawn(bucket.take());
  sim.settle();
  CHECK(sim.run(bucket.take()).error() == Errc::overloaded);
  CHECK_FALSE(bucket.try_take(sim.reactor()));
}
