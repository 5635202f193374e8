// Event and Semaphore: every small order of arrivals, releases and cancellations.

#include <escapement/core/event.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "support/enumerate.h"

using namespace escapement;

namespace {

Task<> wait_and_note(Event& event, std::string& log, char name) {
  co_await event.wait();
  log += name;
}

}  // namespace

TEST_CASE("Event: set stays, reset ends it, pulse wakes only those that wait") {
  Sim sim;
  Event event;
  std::string log;
  Scope scope(sim.reactor());
  scope.spawn(wait_and_note(event, log, 'a'));
  sim.settle();
  event.pulse();
  CHECK_FALSE(event.is_set());
  sim.settle();
  CHECK(log == "a");
  scope.spawn(wait_and_note(event, log, 'b'));
  sim.settle();
  CHECK(log == "a");
  event.set();
  event.reset();  // who was woken stays woken
  sim.settle();
  CHECK(log == "ab");
  event.set();
  scope.spawn(wait_and_note(event, log, 'c'));
  sim.settle();
  CHECK(log == "abc");
}

TEST_CASE("Event: a task that was woken and is destroyed before it runs does not run") {
  Sim sim;
  Event event;
  std::string log;
  Scope scope(sim.reactor());
  scope.spawn(wait_and_note(event, log, 'a'));
  sim.settle();
  event.set();
  scope.cancel();
  sim.settle();
  CHECK(log.empty());
}

TEST_CASE("Event: may be destroyed while tasks wait, if their owner destroys them next") {
  Sim sim;
  std::string log;
  Scope scope(sim.reactor());
  {
    Event event;
    scope.spawn(wait_and_note(event, log, 'a'));
    sim.settle();
  }
  scope.cancel();
  CHECK(log.empty());
}

TEST_CASE("Semaphore: permits move, and are given back once") {
  Sim sim;
  Semaphore semaphore(2);
  auto body = [](Semaphore& semaphore) -> Task<> {
    Semaphore::Permit one = co_await semaphore.acquire();
    Semaphore::Permit two = co_await semaphore.acquire();
    CHECK(semaphore.available() == 0);
    Semaphore::Permit moved = std::move(one);
    CHECK(semaphore.available() == 0);
    {
      Semaphore::Permit inner = std::move(moved);
    }
    CHECK(semaphore.available() == 1);
  };
  CHECK(sim.run(body(semaphore)));
  CHECK(semaphore.available() == 2);
}

namespace {

Task<> hold(Semaphore& semaphore, Event& release, std::string& log, char name) {
  Semaphore::Permit permit = co_await semaphore.acquire();
  log += name;
  co_await release.wait();
}

// A model of the semaphore, in three lists.
class SemaphoreModel {
 public:
  explicit SemaphoreModel(std::size_t permits) : free_(permits) {}
  void arrive(int id) {
    waiting_.push_back(id);
    grant();
  }
  void leave(int id) {
    if (std::erase(holding_, id) != 0) ++free_;
    std::erase(waiting_, id);
    grant();
  }
  const std::string& log() const { return log_; }
  std::size_t available() const { return free_; }
  // Those that were granted a permit and have been destroyed before they ran never say so.
  void forget(int id) { std::erase(log_, static_cast<char>('a' + id)); }

 private:
  void grant() {
    while (free_ != 0 && !waiting_.empty()) {
      --free_;
      holding_.push_back(waiting_.front());
      log_ += static_cast<char>('a' + waiting_.front());
      waiting_.pop_front();
    }
  }
  std::size_t free_;
  std::deque<int> waiting_;
  std::vector<int> holding_;
  std::string log_;
};

}  // namespace

TEST_CASE("Semaphore: every small history agrees with the model, and no permit is ever lost") {
  test::Enumerate every;
  while (every.next()) {
    Sim sim;
    const std::size_t permits = every.between(1, 2);
    Semaphore semaphore(permits);
    SemaphoreModel model(permits);
    std::string log;
    Event never;
    Scope scope(sim.reactor());
    std::vector<std::optional<JoinHandle<void>>> tasks;
    for (int step = 0; step < 6; ++step) {
      const std::size_t choice = every.up_to(tasks.size());
      const bool settles = every.flip();
      if (choice == tasks.size()) {
        const int id = static_cast<int>(tasks.size());
        tasks.emplace_back(scope.spawn_joinable(hold(semaphore, never, log, static_cast<char>('a' + id))));
        sim.settle();  // it arrives now
        model.arrive(id);
      } else if (tasks[choice]->finished()) {
        continue;
      } else {
        const bool ran = log.find(static_cast<char>('a' + choice)) != std::string::npos;
        tasks[choice]->cancel();
        model.leave(static_cast<int>(choice));
        if (!ran) model.forget(static_cast<int>(choice));
      }
      if (settles) {
        sim.settle();
        INFO("choices " << every.describe());
        REQUIRE(log == model.log());
        REQUIRE(semaphore.available() == model.available());
      }
    }
    scope.cancel();
    INFO("choices " << every.describe());
    REQUIRE(semaphore.available() == permits);
  }
  CHECK(every.rounds() > 10'000);
}
