// Mutex and Guarded: one at a time, first come, first served, whatever is cancelled.

#include <escapement/core/mutex.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/event.h>
#include <escapement/core/guarded.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/enumerate.h"

using namespace escapement;

static_assert(Operation<Mutex::Lock>);
static_assert(Operation<Guarded<int>::Lock>);

TEST_CASE("Mutex: tasks that wait get it in order, one at a time, with nobody in between") {
  Sim sim;
  Mutex mutex;
  std::string log;
  auto body = [](Mutex& mutex, std::string& log, char name) -> Task<> {
    for (int i = 0; i < 3; ++i) {
      Mutex::Guard guard = co_await mutex.lock();
      log += name;
      co_await sleep(1ms);
      log += name;
    }
  };
  Scope scope(sim.reactor());
  for (const char name : {'a', 'b', 'c'}) scope.spawn(body(mutex, log, name));
  CHECK(sim.run(scope.join()));
  CHECK(log == "aabbccaabbccaabbcc");
  CHECK_FALSE(mutex.locked());
  CHECK(sim.elapsed() == 9ms);
}

TEST_CASE("Mutex: guards move, unlock once, and can be empty") {
  Mutex mutex;
  Mutex other;
  Mutex::Guard empty;
  CHECK_FALSE(empty.owns_lock());
  empty.unlock();
  std::optional<Mutex::Guard> first = mutex.try_lock();
  REQUIRE(first);
  CHECK(first->owns_lock());
  CHECK_FALSE(mutex.try_lock());
  Mutex::Guard moved = std::move(*first);
  first.reset();
  CHECK(mutex.locked());
  {
    Mutex::Guard inner = *other.try_lock();
    inner = std::move(moved);
    CHECK(inner.owns_lock());
  }
  CHECK_FALSE(mutex.locked());
  CHECK(other.locked());  // moved now holds it: assignment swaps
  moved.unlock();
  CHECK_FALSE(other.locked());
  moved.unlock();
  CHECK(mutex.try_lock());
}

TEST_CASE("Mutex: a time limit gives up the place in the queue") {
  Sim sim;
  Mutex mutex;
  std::optional<Mutex::Guard> held = mutex.try_lock();
  CHECK(sim.run(with_timeout(1s, mutex.lock())).error() == Errc::timed_out);
  held.reset();
  CHECK_FALSE(mutex.locked());
  Result<Mutex::Guard> guard = sim.run(with_timeout(1s, mutex.lock()));
  CHECK(guard);
  CHECK(mutex.locked());
}

TEST_CASE("Mutex: unlocking hands it over, so that nobody overtakes") {
  Sim sim;
  Mutex mutex;
  std::string log;
  std::optional<Mutex::Guard> held = mutex.try_lock();
  auto waits = [](Mutex& mutex, std::string& log) -> Task<> {
    Mutex::Guard guard = co_await mutex.lock();
    log += "got it";
  };
  Scope scope(sim.reactor());
  scope.spawn(waits(mutex, log));
  sim.settle();
  held.reset();
  CHECK(mutex.locked());
  CHECK_FALSE(mutex.try_lock());
  CHECK(log.empty());
  sim.settle();
  CHECK(log == "got it");
  CHECK(mutex.try_lock());
}

TEST_CASE("Mutex: in every small history at most one holds it, in order of arrival, and it is never lost") {
  auto hold = [](Mutex& mutex, Event& release, std::vector<int>& order, int& holders, int id) -> Task<> {
    Mutex::Guard guard = co_await mutex.lock();
    order.push_back(id);
    REQUIRE(++holders == 1);
    struct Leave {
      explicit Leave(int& h) : holders(h) {}
      ~Leave() { --holders; }
      int& holders;
    } leave(holders);
    co_await release.wait();
  };
  test::Enumerate every;
  while (every.next()) {
    Sim sim;
    Mutex mutex;
    Event release;
    std::vector<int> order;
    int holders = 0;
    Scope scope(sim.reactor());
    std::vector<JoinHandle<void>> tasks;
    for (int step = 0; step < 5; ++step) {
      const std::size_t choice = every.up_to(tasks.size() + 1);
      if (choice == tasks.size()) {
        tasks.push_back(
            scope.spawn_joinable(hold(mutex, release, order, holders, static_cast<int>(tasks.size()))));
        sim.settle();
      } else if (choice > tasks.size()) {
        release.pulse();
      } else {
        tasks[choice].cancel();
      }
      if (every.flip()) sim.settle();
    }
    sim.settle();
    INFO("choices " << every.describe());
    REQUIRE(std::is_sorted(order.begin(), order.end()));
    const bool anybody = std::any_of(tasks.begin(), tasks.end(), [](auto& task) { return !task.finished(); });
    REQUIRE(holders == (anybody ? 1 : 0));
    REQUIRE(mutex.locked() == anybody);
    scope.cancel();
    REQUIRE_FALSE(mutex.locked());
  }
  CHECK(every.rounds() > 5'000);
}

TEST_CASE("Guarded: the value is reached by one task at a time") {
  Sim sim;
  Guarded<std::vector<int>> numbers(std::size_t{2}, 7);
  auto append = [](Guarded<std::vector<int>>& numbers, int number) -> Task<> {
    Guarded<std::vector<int>>::Guard held = co_await numbers.lock();
    const std::size_t before = held->size();
    co_await sleep(1ms);
    held->resize(before + 1);
    (*held)[before] = number;
  };
  Scope scope(sim.reactor());
  for (int i = 0; i < 3; ++i) scope.spawn(append(numbers, i));
  sim.settle();
  CHECK(numbers.locked());
  CHECK_FALSE(numbers.try_lock());
  CHECK(sim.run(with_timeout(1us, numbers.lock())).error() == Errc::timed_out);
  CHECK(sim.run(scope.join()));
  std::optional<Guarded<std::vector<int>>::Guard> held = numbers.try_lock();
  REQUIRE(held);
  CHECK(**held == std::vector<int>{7, 7, 0, 1, 2});
  Guarded<std::vector<int>>::Guard moved = std::move(*held);
  held.reset();
  CHECK(numbers.locked());
}
