// Condition: woken in order, with the lock held again, and no notification is lost.

#include <escapement/core/condition.h>

#include <deque>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/enumerate.h"

using namespace escapement;

static_assert(Operation<Condition::Wait>);

namespace {

Task<> wait_and_note(Mutex& mutex, Condition& condition, std::string& log, char name) {
  Mutex::Guard guard = co_await mutex.lock();
  co_await condition.wait(guard);
  if (!guard.owns_lock() || !mutex.locked()) co_await Error(Errc::internal, "without the lock");
  log += name;
}

}  // namespace

TEST_CASE("Condition: notify_one wakes the first, notify_all the rest, each with the lock") {
  Sim sim;
  Mutex mutex;
  Condition condition;
  std::string log;
  Scope scope(sim.reactor());
  for (const char name : {'a', 'b', 'c', 'd'}) scope.spawn(wait_and_note(mutex, condition, log, name));
  sim.settle();
  CHECK_FALSE(mutex.locked());  // all wait without it
  condition.notify_one();
  sim.settle();
  CHECK(log == "a");
  std::optional<Mutex::Guard> held = mutex.try_lock();
  condition.notify_all();
  sim.settle();
  CHECK(log == "a");  // they are in line for the lock
  held.reset();
  sim.settle();
  CHECK(log == "abcd");
  CHECK_FALSE(mutex.locked());
  condition.notify_one();
  condition.notify_all();
  CHECK(sim.run(scope.join()));
}

TEST_CASE("Condition: a queue of two ends, with predicates") {
  Sim sim;
  Mutex mutex;
  Condition changed;
  std::deque<int> queue;
  std::vector<int> taken;
  auto take = [&]() -> Task<> {
    for (int i = 0; i < 10; ++i) {
      Mutex::Guard guard = co_await mutex.lock();
      co_await changed.wait(guard, [&] { return !queue.empty(); });
      taken.push_back(queue.front());
      queue.pop_front();
      changed.notify_all();
    }
  };
  auto put = [&]() -> Task<> {
    for (int i = 0; i < 20; ++i) {
      Mutex::Guard guard = co_await mutex.lock();
      co_await changed.wait(guard, [&] { return queue.size() < 2; });
      queue.push_back(i);
      changed.notify_all();
      co_await sleep(1ms);  // with the lock
    }
  };
  Scope scope(sim.reactor());
  scope.spawn(take);
  scope.spawn(take);
  scope.spawn(put);
  CHECK(sim.run(scope.join()));
  REQUIRE(taken.size() == 20);
  for (int i = 0; i < 20; ++i) CHECK(taken[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("Condition: a time limit ends the wait, and leaves the guard without the lock") {
  Sim sim;
  Mutex mutex;
  Condition condition;
  auto run = [&]() -> Task<std::string> {
    Mutex::Guard guard = co_await mutex.lock();
    Result<> woken = co_await with_timeout(1s, condition.wait(guard)).result();
    std::string log = woken ? "woken" : std::string(name(woken.error().code()));
    log += guard.owns_lock() ? ", locked" : ", not locked";
    guard = co_await mutex.lock();
    Result<> predicate = co_await with_timeout(1s, condition.wait(guard, [] { return false; })).result();
    log += predicate ? ", woken" : ", " + std::string(name(predicate.error().code()));
    co_return log;
  };
  CHECK(*sim.run(run()) == "timed_out, not locked, timed_out");
  CHECK_FALSE(mutex.locked());
}

TEST_CASE("Condition: may be destroyed while tasks wait, if their owner destroys them next") {
  Sim sim;
  Mutex mutex;
  std::string log;
  Scope scope(sim.reactor());
  {
    Condition condition;
    scope.spawn(wait_and_note(mutex, condition, log, 'a'));
    sim.settle();
  }
  scope.cancel();
  CHECK(log.empty());
  CHECK_FALSE(mutex.locked());
}

TEST_CASE("Condition: in every small history, n notifications wake the first n tasks that are still there") {
  test::Enumerate every;
  while (every.next()) {
    Sim sim;
    Mutex mutex;
    Condition condition;
    std::string log;
    std::string expected;
    std::deque<std::size_t> waiting;   // in order
    std::deque<std::size_t> notified;  // and have not run
    Scope scope(sim.reactor());
    std::vector<JoinHandle<void>> tasks;
    const bool contended = every.flip();
    std::optional<Mutex::Guard> held;
    const auto notify = [&] {
      if (waiting.empty()) return;
      notified.push_back(waiting.front());
      waiting.pop_front();
    };
    const auto settle = [&] {
      held.reset();
      sim.settle();
      while (!notified.empty()) {
        expected += static_cast<char>('a' + notified.front());
        notified.pop_front();
      }
    };
    for (int step = 0; step < 5; ++step) {
      const std::size_t choice = every.up_to(tasks.size() + 1);
      if (choice == tasks.size()) {
        settle();
        waiting.push_back(tasks.size());
        const char name = static_cast<char>('a' + tasks.size());
        tasks.push_back(scope.spawn_joinable(wait_and_note(mutex, condition, log, name)));
        sim.settle();
      } else if (choice > tasks.size()) {
        if (contended && !held) held = mutex.try_lock();
        condition.notify_one();
        notify();
      } else if (!tasks[choice].finished()) {
        tasks[choice].cancel();
        std::erase(waiting, choice);
        if (std::erase(notified, choice) != 0) notify();
      }
      if (every.flip()) settle();
    }
    settle();
    INFO("choices " << every.describe());
    REQUIRE(log == expected);
    scope.cancel();
    REQUIRE_FALSE(mutex.locked());
  }
  CHECK(every.rounds() > 10'000);
}
