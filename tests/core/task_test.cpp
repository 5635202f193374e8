#include <memory>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

// Notes when it is destroyed.
class Guard {
 public:
  Guard(std::vector<std::string>& log, std::string name) : log_(&log), name_(std::move(name)) {}
  Guard(const Guard&) = delete;
  ~Guard() { log_->push_back(name_); }

 private:
  std::vector<std::string>* log_;
  std::string name_;
};

using Log = std::vector<std::string>;

Task<int> value(int n) { co_return n; }
Task<int> late_value(int n) {
  co_await sleep(10ms);
  co_return n;
}
Task<int> failing(Duration after) {
  co_await sleep(after);
  co_return Error(Errc::reset, "broken");
}
Task<> guarded(Log& log, std::string name, Duration length) {
  Guard guard(log, name);
  co_await sleep(length);
  log.push_back(name + " done");
}

}  // namespace

TEST_CASE("Task: values come at once and later") {
  Sim sim;
  auto sum = []() -> Task<int> {
    const int a = co_await value(1);
    const int b = co_await late_value(2);
    co_return a + b;
  };
  Result<int> result = sim.run(sum());
  REQUIRE(result);
  CHECK(*result == 3);
  CHECK(sim.elapsed() == 10ms);
}

TEST_CASE("Task: a failure passes through the frames to the first .result(), which finds them gone") {
  for (const Duration after : {Duration(), Duration(5ms)}) {
    Sim sim;
    Log log;
    auto inner = [](Log& log, Duration after) -> Task<int> {
      Guard guard(log, "inner");
      const int n = co_await failing(after);
      co_return n;
    };
    auto middle = [inner](Log& log, Duration after) -> Task<int> {
      Guard guard(log, "middle");
      const int n = co_await inner(log, after);
      log.push_back("never reached");
      co_return n;
    };
    auto outer = [&]() -> Task<> {
      Result<int> result = co_await middle(log, after).result();
      log.push_back(to_string(result.error()));
    };
    REQUIRE(sim.run(outer()));
    CHECK(log == Log{"inner", "middle", "reset: broken"});
  }
}

TEST_CASE("Task: destroying one destroys what it waits for, innermost first") {
  Sim sim;
  Log log;
  {
    Scope scope(sim.reactor());
    auto outer = [](Log& log) -> Task<> {
      Guard guard(log, "outer");
      co_await guarded(log, "inner", 1h);
    };
    scope.spawn(outer(log));
    sim.advance(1ms);
    CHECK(log.empty());
    CHECK(sim.timers().size() == 1);
  }
  CHECK(log == Log{"inner", "outer"});
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("Task: co_await of an Error fails, of a Result unwraps or fails") {
  Sim sim;
  auto unwrap = [](Result<int> given) -> Task<int> {
    const int n = co_await std::move(given);
    co_return n + 1;
  };
  CHECK(*sim.run(unwrap(1)) == 2);
  CHECK(sim.run(unwrap(Error(Errc::not_found, "x"))).error() == Errc::not_found);
  auto fail = []() -> Task<> { co_await Error(Errc::unsupported, "y"); };
  CHECK(sim.run(fail()).error() == Errc::unsupported);
}

#ifdef __cpp_exceptions
TEST_CASE("Task: an exception that leaves user code is an Error at that frame") {
  Sim sim;
  auto thrower = [](bool late) -> Task<int> {
    if (late) co_await sleep(1ms);
    throw std::runtime_error("boo");
    co_return 1;
  };
  for (const bool late : {false, true}) {
    Result<int> result = sim.run(thrower(late));
    REQUIRE(!result);
    CHECK(result.error() == Errc::exception);
    CHECK(result.error().message() == "boo");
  }
}
#endif

TEST_CASE("Task: a million children that finish at once do not grow the stack") {
  Sim sim;
  auto loop = []() -> Task<long> {
    long sum = 0;
    for (int i = 0; i < 1'000'000; ++i) sum += co_await value(1);
    co_return sum;
  };
  CHECK(*sim.run(loop()) == 1'000'000);
}

TEST_CASE("Reactor: a run in which nothing can happen any more says so") {
  Sim sim;
  Event event;
  auto waits = [&]() -> Task<> { co_await event.wait(); };
  Result<> result = sim.run(waits());
  REQUIRE(!result);
  CHECK(result.error() == Errc::internal);
}

TEST_CASE("Reactor: what yields for ever does not starve timers, nor a burst of timers the rest") {
  Sim sim;
  Scope scope(sim.reactor());
  auto busy = []() -> Task<> {
    for (;;) co_await yield();
  };
  scope.spawn(busy());
  // Time stands still while something is ready, so the timer must be due already.
  sim.backend().freeze(10ms);
  bool fired = false;
  auto timer = [&]() -> Task<> {
    co_await sleep_until(Instant());
    fired = true;
  };
  scope.spawn(timer());
  for (int i = 0; i < 10 && !fired; ++i) sim.reactor().step();
  CHECK(fired);
  scope.cancel();

  int resumed = 0;
  auto burst = [&]() -> Task<> {
    co_await sleep(1ms);
    ++resumed;
  };
  for (int i = 0; i < 10'000; ++i) scope.spawn(burst());
  for (int i = 0; i < 200; ++i) sim.reactor().step();
  sim.backend().freeze(2ms);
  bool posted = false;
  sim.reactor().post([&] { posted = true; });
  sim.reactor().step();
  CHECK(posted);
  CHECK(resumed <= Reactor::budget);
}

TEST_CASE("Reactor: step returns when to come back") {
  Sim sim;
  CHECK(sim.reactor().step() == Instant::never());
  Scope scope(sim.reactor());
  auto nap = []() -> Task<> { co_await sleep(30ms); };
  scope.spawn(nap());
  CHECK(sim.reactor().step() == Instant() + Duration(30ms));
  CHECK(sim.elapsed() == Duration());
}

TEST_CASE("Scope: join waits for all; a failure cancels the others and is reported") {
  Sim sim;
  Log log;
  auto run = [&]() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    Scope scope(reactor);
    scope.spawn(guarded(log, "short", 5ms));
    scope.spawn(guarded(log, "long", 1h));
    auto fails = []() -> Task<> {
      const int n = co_await failing(10ms);
      (void)n;
    };
    scope.spawn(fails());
    co_await scope.join();
  };
  Result<> result = sim.run(run());
  REQUIRE(!result);
  CHECK(result.error() == Errc::reset);
  CHECK(sim.elapsed() == 10ms);
  CHECK(log == Log{"short done", "short", "long"});
}

TEST_CASE("Scope: with a hook a failure touches nobody else; cancel destroys the youngest first") {
  Sim sim;
  Log log;
  int failures = 0;
  Scope scope(sim.reactor(), [&](Error) { ++failures; });
  scope.spawn(guarded(log, "a", 1h));
  scope.spawn(guarded(log, "b", 1h));
  auto fails = []() -> Task<> { co_await Error(Errc::reset); };
  scope.spawn(fails());
  sim.advance(1ms);
  CHECK(failures == 1);
  CHECK(scope.size() == 2);
  scope.cancel();
  CHECK(log == Log{"b", "a"});
  CHECK(scope.empty());
}

TEST_CASE("Scope: handles give the outcome; dropping one leaves the task to the scope") {
  Sim sim;
  Scope scope(sim.reactor());
  JoinHandle<int> good = scope.spawn_joinable(late_value(7));
  JoinHandle<int> bad = scope.spawn_joinable(failing(1ms));
  CHECK(*sim.run(std::move(good).join()) == 7);
  CHECK(sim.run(std::move(bad).join()).error() == Errc::reset);
  JoinHandle<int> stopped = scope.spawn_joinable(late_value(1));
  sim.settle();
  stopped.cancel();
  CHECK(sim.run(std::move(stopped).join()).error() == Errc::cancelled);
  {
    JoinHandle<int> dropped = scope.spawn_joinable(late_value(1));
  }
  CHECK(scope.size() == 1);
  CHECK(sim.run(scope.join()));
}

TEST_CASE("all: values in order, the first failure destroys the rest before it is reported") {
  Sim sim;
  Result<std::tuple<int, int>> both = sim.run(all(late_value(1), value(2)));
  REQUIRE(both);
  CHECK(*both == std::tuple(1, 2));
  Log log;
  auto run = [&]() -> Task<> {
    Result<std::tuple<std::monostate, int>> result =
        co_await all(guarded(log, "other", 1h), failing(3ms)).result();
    log.push_back(to_string(result.error()));
  };
  REQUIRE(sim.run(run()));
  CHECK(log == Log{"other", "reset: broken"});
}

TEST_CASE("race: the first to finish wins, the others are destroyed before; none to run is an error") {
  Sim sim;
  Log log;
  auto run = [&]() -> Task<> {
    co_await race(guarded(log, "slow", 1h), guarded(log, "fast", 2ms));
    log.push_back("won");
  };
  REQUIRE(sim.run(run()));
  CHECK(log == Log{"fast done", "fast", "slow", "won"});
  CHECK(sim.elapsed() == 2ms);
  CHECK(sim.run(race(std::vector<Task<int>>())).error() == Errc::invalid_argument);
}

TEST_CASE("Event: wakes in order; one that was destroyed is forgotten") {
  Sim sim;
  Event event;
  Log log;
  Scope scope(sim.reactor());
  auto waits = [](Event& event, Log& log, std::string name) -> Task<> {
    co_await event.wait();
    log.push_back(name);
  };
  scope.spawn(waits(event, log, "a"));
  JoinHandle<void> gone = scope.spawn_joinable(waits(event, log, "gone"));
  scope.spawn(waits(event, log, "b"));
  sim.settle();
  gone.cancel();
  event.set();
  sim.settle();
  CHECK(log == Log{"a", "b"});
}

TEST_CASE("Semaphore: first come first served; a permit granted to a task that is destroyed goes on") {
  Sim sim;
  Semaphore semaphore(1);
  Log log;
  Scope scope(sim.reactor());
  auto worker = [](Semaphore& semaphore, Log& log, std::string name, Duration length) -> Task<> {
    Semaphore::Permit permit = co_await semaphore.acquire();
    log.push_back(name);
    co_await sleep(length);
  };
  JoinHandle<void> first = scope.spawn_joinable(worker(semaphore, log, "first", 1h));
  sim.settle();
  JoinHandle<void> second = scope.spawn_joinable(worker(semaphore, log, "second", 1h));
  scope.spawn(worker(semaphore, log, "third", 1ms));
  sim.settle();
  CHECK(log == Log{"first"});
  first.cancel();   // grants the permit to the second,
  second.cancel();  // which never runs
  sim.advance(2ms);
  CHECK(log == Log{"first", "third"});
  CHECK(semaphore.available() == 1);
}

namespace {

Task<std::unique_ptr<int>> box(int value) {
  co_await sleep(1ms);
  co_return std::make_unique<int>(value);
}

Task<int> nested(int depth, Duration pause, bool fails) {
  if (depth == 0) {
    co_await sleep(pause);
    if (fails) co_return Error(Errc::reset, "at the bottom");
    co_return 0;
  }
  const int below = co_await nested(depth - 1, pause, fails);
  co_return below + 1;
}

}  // namespace

TEST_CASE("Task: yields what can only be moved") {
  Sim sim;
  auto unbox = []() -> Task<int> {
    std::unique_ptr<int> one = co_await box(1);
    Result<std::unique_ptr<int>> two = co_await box(2).result();
    co_return *one + **two;
  };
  CHECK(*sim.run(unbox()) == 3);
}

// Deeper than programs nest: starting, failing and destroying recurse once per frame (task.h). A thousand
// fits the smallest stack we run on, 1 MiB under wasm; sanitizers make frames much bigger.
TEST_CASE("Task: a thousand nested awaits finish, fail and are cancelled") {
  constexpr int depth = 1000;
  Sim sim;
  CHECK(*sim.run(nested(depth, 1ms, false)) == depth);
  CHECK(sim.run(nested(depth, 1ms, true)).error() == Errc::reset);
  CHECK(sim.run(nested(depth, Duration::max(), false)).error() == Errc::internal);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("Task: destroying one that never started destroys its arguments") {
  auto witness = std::make_shared<int>(0);
  auto never_runs = [](std::shared_ptr<int> witness) -> Task<> {
    ++*witness;
    co_return;
  };
  {
    Task<> task = never_runs(witness);
    CHECK(witness.use_count() == 2);
    Task<> moved = std::move(task);
    CHECK_FALSE(task);
    CHECK(moved);
    moved.reset();
    CHECK_FALSE(moved);
    CHECK(witness.use_count() == 1);
  }
  CHECK(*witness == 0);
}

TEST_CASE("Task: assigning over one cancels it") {
  Sim sim;
  auto witness = std::make_shared<int>(0);
  auto holds = [](std::shared_ptr<int>) -> Task<> { co_return; };
  Task<> task = holds(witness);
  task = holds(nullptr);
  CHECK(witness.use_count() == 1);
  CHECK(sim.run(std::move(task)));
}

TEST_CASE("Task: a failure at once and a failure later take the same way through many frames") {
  for (const Duration after : {Duration(), Duration(5ms)}) {
    Sim sim;
    Log log;
    // Each frame guards two locals, so that the order within a frame shows too.
    struct Frames {
      static Task<int> at(Log& log, int depth, Duration after) {
        Guard outer(log, "outer " + std::to_string(depth));
        Guard inner(log, "inner " + std::to_string(depth));
        if (depth == 0) {
          if (after > Duration()) co_await sleep(after);
          co_await Error(Errc::bad_message, "deep");
        }
        const int below = co_await at(log, depth - 1, after);
        co_return below;
      }
      static Task<> look(Log& log, Duration after) {
        Result<int> result = co_await at(log, 2, after).result();
        log.push_back(result.error().message());
      }
    };
    REQUIRE(sim.run(Frames::look(log, after)));
    CHECK(log == Log{"inner 0", "outer 0", "inner 1", "outer 1", "inner 2", "outer 2", "deep"});
  }
}
