// Operations compose: whatever takes a task takes sleep, yield, Event::wait, Semaphore::acquire, reads and
// writes.

#include <escapement/core/combine.h>

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

static_assert(Operation<Sleep>);
static_assert(Operation<Event::Wait>);
static_assert(Operation<Semaphore::Acquire>);
static_assert(Operation<decltype(yield())>);
static_assert(Operation<Reading>);
static_assert(Operation<Writing>);

namespace {

Task<int> after(Duration length, int value) {
  co_await sleep(length);
  if (value < 0) co_return Error(Errc::reset, std::to_string(value));
  co_return value;
}

Task<> nothing_after(Duration length) { co_await sleep(length); }

Task<> set_after(Duration length, Event& event) {
  co_await sleep(length);
  event.set();
}

}  // namespace

TEST_CASE("operation: a reactor runs a sleep, an event's wait and a yield themselves") {
  Sim sim;
  CHECK(sim.run(sleep(250ms)));
  CHECK(sim.elapsed() == 250ms);
  CHECK(sim.run(sleep_until(Instant() + 1s)));
  CHECK(sim.elapsed() == 1s);
  CHECK(sim.run(yield()));
  Event event;
  event.set();
  CHECK(sim.run(event.wait()));
  Semaphore semaphore(1);
  {
    Result<Semaphore::Permit> permit = sim.run(semaphore.acquire());
    CHECK(permit);
    CHECK(semaphore.available() == 0);
  }
  CHECK(semaphore.available() == 1);
  CHECK(sim.elapsed() == 1s);
}

TEST_CASE("operation: with_timeout ends a sleep and a wait, and takes their timer and place away") {
  Sim sim;
  Result<> slept = sim.run(with_timeout(1s, sleep(2s)));
  REQUIRE(!slept);
  CHECK(slept.error() == Errc::timed_out);
  CHECK(sim.elapsed() == 1s);
  CHECK(sim.timers().size() == 0);
  Event never;
  CHECK(sim.run(with_timeout(1s, never.wait())).error() == Errc::timed_out);
  Semaphore none(0);
  CHECK(sim.run(with_timeout(1s, none.acquire())).error() == Errc::timed_out);
  CHECK(sim.run(with_timeout(2s, sleep(1s))));
  CHECK(sim.elapsed() == 4s);
}

TEST_CASE("operation: all and race take operations and tasks beside each other") {
  Sim sim;
  CHECK(sim.run(all(sleep(1s), sleep(2s))));
  CHECK(sim.elapsed() == 2s);
  CHECK(sim.run(race(nothing_after(1s), sleep(10ms))));
  CHECK(sim.elapsed() == 2010ms);
  Event event;
  CHECK(sim.run(all(set_after(5ms, event), event.wait(), yield())));
  CHECK(sim.elapsed() == 2015ms);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("operation: a scope spawns them, and its handles join them") {
  Sim sim;
  Scope scope(sim.reactor());
  scope.spawn(sleep(1s));
  JoinHandle<void> second = scope.spawn_joinable(sleep(3s));
  CHECK(sim.run(std::move(second).join()));
  CHECK(sim.elapsed() == 3s);
  CHECK(scope.empty());
}

TEST_CASE("operation: result() of one that cannot fail is its value") {
  Sim sim;
  Semaphore semaphore(1);
  auto look = [](Semaphore& semaphore) -> Task<std::string> {
    Result<> slept = co_await sleep(1s).result();
    Result<> yielded = co_await yield().result();
    Result<Semaphore::Permit> permit = co_await semaphore.acquire().result();
    co_return std::string(slept && yielded && permit && semaphore.available() == 0 ? "all" : "not all");
  };
  CHECK(*sim.run(look(semaphore)) == "all");
  CHECK(semaphore.available() == 1);
}

TEST_CASE("operation: one that is destroyed while it waits as a task leaves its queue") {
  Sim sim;
  Event event;
  Semaphore semaphore(0);
  {
    Scope scope(sim.reactor());
    scope.spawn(event.wait());
    auto keep = [](Semaphore& semaphore) -> Task<> {
      Semaphore::Permit permit = co_await semaphore.acquire();
    };
    scope.spawn(keep(semaphore));
    scope.spawn(sleep(1h));
    sim.settle();
    CHECK(sim.timers().size() == 1);
  }
  CHECK(sim.timers().size() == 0);
  event.set();  // would wake what is gone
  sim.settle();
}

TEST_CASE("select: the index says which was first, and the others are gone") {
  Sim sim;
  Event stopping;
  auto loop = [](Event& stopping) -> Task<std::string> {
    std::string log;
    for (;;) {
      std::variant<int, std::monostate> next = co_await select(after(2s, 7), stopping.wait());
      if (next.index() == 1) break;
      log += std::to_string(std::get<0>(next));
    }
    co_return log;
  };
  Scope scope(sim.reactor());
  scope.spawn(set_after(5s, stopping));
  CHECK(*sim.run(loop(stopping)) == "77");
  CHECK(sim.elapsed() == 5s);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("select: of one kind twice, a tie, and one that is done at once") {
  Sim sim;
  auto both = sim.run(select(after(3ms, 1), after(3ms, 2)));
  REQUIRE(both);
  CHECK(both->index() == 0);
  CHECK(std::get<0>(*both) == 1);
  auto second = sim.run(select(after(3ms, 1), after(2ms, 2)));
  REQUIRE(second);
  CHECK(second->index() == 1);
  Event set;
  set.set();
  auto at_once = sim.run(select(set.wait(), after(1h, 2)));
  REQUIRE(at_once);
  CHECK(at_once->index() == 0);
  CHECK(sim.elapsed() == 5ms);
}

TEST_CASE("select: the winner may be a failure") {
  Sim sim;
  auto failed = sim.run(select(after(3ms, -1), sleep(1s)));
  REQUIRE(!failed);
  CHECK(failed.error() == Errc::reset);
  CHECK(sim.elapsed() == 3ms);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("all of a vector: values in order, whoever is first; none; ten thousand") {
  Sim sim;
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 10'000; ++i) tasks.push_back(after(std::chrono::milliseconds(10'000 - i), i));
  Result<std::vector<int>> values = sim.run(all(std::move(tasks)));
  REQUIRE(values);
  REQUIRE(values->size() == 10'000);
  bool in_order = true;
  for (int i = 0; i < 10'000; ++i) in_order = in_order && (*values)[static_cast<std::size_t>(i)] == i;
  CHECK(in_order);
  CHECK(sim.elapsed() == 10s);
  CHECK(sim.run(all(std::vector<Task<int>>()))->empty());
  CHECK(sim.run(all(std::vector<Task<>>())));
  std::vector<Task<>> sleeps;
  for (int i = 1; i <= 3; ++i) sleeps.push_back(sleep(std::chrono::seconds(i)));
  CHECK(sim.run(all(std::move(sleeps))));
  CHECK(sim.elapsed() == 13s);
}

TEST_CASE("all of a vector: the first failure cancels the others, also where it fails at once") {
  Sim sim;
  std::vector<Task<int>> tasks;
  tasks.push_back(after(1h, 1));
  tasks.push_back(after(2s, -2));
  tasks.push_back(after(1s, -3));
  Result<std::vector<int>> failed = sim.run(all(std::move(tasks)));
  REQUIRE(!failed);
  CHECK(failed.error().message() == "-3");
  CHECK(sim.elapsed() == 1s);
  CHECK(sim.timers().size() == 0);
  auto at_once = []() -> Task<int> { co_return Error(Errc::reset, "at once"); };
  std::vector<Task<int>> others;
  others.push_back(at_once());
  others.push_back(after(1h, 1));
  CHECK(sim.run(all(std::move(others))).error().message() == "at once");
  CHECK(sim.elapsed() == 1s);
}
