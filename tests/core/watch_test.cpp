// Watch: watchers see the latest value, and miss no change.

#include <escapement/core/watch.h>

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

static_assert(Operation<Watch<int>::Changed>);

TEST_CASE("Watch: every watcher sees the first value and then each latest one") {
  Sim sim;
  Watch<int> watch(1);
  std::vector<std::string> log;
  auto watcher = [](Watch<int>& watch, std::vector<std::string>& log, char name) -> Task<> {
    for (std::uint64_t seen = 0;;) {
      seen = co_await watch.changed(seen);
      log.push_back(name + std::to_string(watch.value()));
    }
  };
  Scope scope(sim.reactor());
  scope.spawn(watcher(watch, log, 'a'));
  scope.spawn(watcher(watch, log, 'b'));
  sim.settle();
  CHECK(log == std::vector<std::string>{"a1", "b1"});
  watch.set(2);
  watch.set(3);
  CHECK(watch.value() == 3);
  CHECK(log.size() == 2);  // nobody runs inside set
  sim.settle();
  CHECK(log == std::vector<std::string>{"a1", "b1", "a3", "b3"});
  watch.set(3);
  sim.settle();
  CHECK(log.size() == 6);
  CHECK_FALSE(watch.set_if_different(3));
  sim.settle();
  CHECK(log.size() == 6);
  CHECK(watch.set_if_different(4));
  watch.update([](int& value) { value *= 10; });
  sim.settle();
  CHECK(log.back() == "b40");
  CHECK(log.size() == 8);
}

TEST_CASE("Watch: versions grow; one that was seen waits, any other does not") {
  Sim sim;
  Watch<std::string> watch("first");
  CHECK(watch.version() == 1);
  CHECK(*sim.run(watch.changed(0)) == 1);
  CHECK(sim.run(with_timeout(1s, watch.changed(1))).error() == Errc::timed_out);
  watch.set("second");
  CHECK(*sim.run(watch.changed(1)) == 2);
  CHECK(*sim.run(watch.changed(7)) == 2);  // of another watch, say
}

TEST_CASE("Watch: a change that comes as a wait is cancelled is seen by the next one") {
  Sim sim;
  Watch<int> watch(0);
  Scope scope(sim.reactor());
  scope.spawn([&]() -> Task<> { co_await watch.changed(1); });
  sim.settle();
  watch.set(1);
  scope.cancel();
  CHECK(*sim.run(watch.changed(1)) == 2);
}

TEST_CASE("Watch: until waits for a value that satisfies a predicate") {
  Sim sim;
  Watch<int> watch(0);
  auto count = [&]() -> Task<> {
    for (int i = 1; i <= 5; ++i) {
      co_await sleep(1s);
      watch.set(i);
    }
  };
  auto run = [&]() -> Task<std::uint64_t> {
    auto [version, nothing] = co_await all(watch.until([](int value) { return value == 3; }), count());
    (void)nothing;
    co_return version;
  };
  CHECK(*sim.run(run()) == 4);
  CHECK(*sim.run(watch.until([](int value) { return value == 5; })) == 6);
  CHECK(sim.run(with_timeout(1s, watch.until([](int value) { return value < 0; }))).error() ==
        Errc::timed_out);
}
