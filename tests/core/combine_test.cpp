// all and race, beyond the ordinary cases of task_test.cpp.

#include <escapement/core/combine.h>

#include <memory>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

struct Grave {
  Grave(std::string& log, char name) : log(&log), name(name) {}
  ~Grave() { *log += name; }
  std::string* log;
  char name;
};

// Notes in upper case that it started, and in lower case that it is gone.
Task<int> logged(std::string& log, char name, Duration length, int value) {
  log += static_cast<char>(name - 'a' + 'A');
  Grave grave(log, name);
  if (length > Duration()) co_await sleep(length);
  if (value < 0) co_return Error(Errc::reset, "negative");
  co_return value;
}

Task<std::unique_ptr<int>> boxed(int value) {
  co_await sleep(1ms);
  co_return std::make_unique<int>(value);
}

Task<int> after(Event& event, int value) {
  co_await event.wait();
  co_return value;
}

}  // namespace

TEST_CASE("all: of none, of one, of values that can only be moved") {
  Sim sim;
  Result<std::tuple<>> none = sim.run(all());
  CHECK(none);
  using Boxes = std::tuple<std::unique_ptr<int>, std::unique_ptr<int>>;
  Result<Boxes> boxes = sim.run(all(boxed(1), boxed(2)));
  CHECK(*std::get<0>(*boxes) == 1);
  CHECK(*std::get<1>(*boxes) == 2);
  CHECK(sim.elapsed() == 1ms);  // beside each other
}

TEST_CASE("all: what fails at once keeps the later ones from starting") {
  Sim sim;
  std::string log;
  auto three = all(logged(log, 'a', 1h, 1), logged(log, 'b', Duration(), -1), logged(log, 'c', 1h, 1));
  CHECK(sim.run(std::move(three)).error() == Errc::reset);
  CHECK(log == "ABba");
}

TEST_CASE("all: destroying it destroys them all") {
  Sim sim;
  std::string log;
  auto drop = [](Task<std::tuple<int, int>> both) -> Task<> { co_await std::move(both); };
  Scope scope(sim.reactor());
  scope.spawn(drop(all(logged(log, 'a', 1h, 1), logged(log, 'b', 1h, 1))));
  sim.settle();
  CHECK(log == "AB");
  scope.cancel();
  CHECK(log.size() == 4);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("race: one that finishes at once wins, and the later ones never start") {
  Sim sim;
  std::string log;
  auto three =
      race(logged(log, 'a', 1h, 1), logged(log, 'b', Duration(), 2), logged(log, 'c', Duration(), 3));
  CHECK(*sim.run(std::move(three)) == 2);
  CHECK(log == "ABba");
}

TEST_CASE("race: the winner may be a failure") {
  Sim sim;
  std::string log;
  auto two = race(logged(log, 'a', 5ms, 1), logged(log, 'b', 2ms, -1));
  CHECK(sim.run(std::move(two)).error() == Errc::reset);
  CHECK(sim.elapsed() == 2ms);
}

TEST_CASE("race: of several due at the same instant the first in the list wins") {
  Sim sim;
  std::string log;
  auto two = race(logged(log, 'a', 5ms, 1), logged(log, 'b', 5ms, 2));
  CHECK(*sim.run(std::move(two)) == 1);
}

TEST_CASE("race: where several are woken in one turn, the one woken first wins") {
  Sim sim;
  Event one;
  Event two;
  auto both = [](Event& one, Event& two) -> Task<int> {
    const int winner = co_await race(after(one, 1), after(two, 2));
    co_return winner;
  };
  sim.backend().schedule(Instant() + 1ms, [&] {
    two.set();
    one.set();
  });
  CHECK(*sim.run(both(one, two)) == 2);
}

TEST_CASE("race: of races of alls, cancelled as a whole") {
  Sim sim;
  std::string log;
  auto sum = [](Task<std::tuple<int, int>> both) -> Task<int> {
    std::tuple<int, int> values = co_await std::move(both);
    co_return std::get<0>(values) + std::get<1>(values);
  };
  auto outer = race(sum(all(logged(log, 'a', 9ms, 1), logged(log, 'b', 1ms, 2))),
                    race(logged(log, 'c', 1h, 5), logged(log, 'd', 4ms, 7)));
  CHECK(*sim.run(std::move(outer)) == 7);
  CHECK(log.size() == 8);
  CHECK(sim.timers().size() == 0);
}
