// JoinSet: outcomes in the order of finishing, none of them lost.

#include <escapement/core/join_set.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/random.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

Task<int> number(Duration after, int value) {
  co_await sleep(after);
  co_return value;
}

Task<int> failing(Duration after, Errc code) {
  co_await sleep(after);
  co_await Error(code, "on purpose");
  co_return 0;
}

// Adds its name to a log when it is destroyed.
struct Grave {
  Grave(std::string& log, char name) : log(&log), name(name) {}
  Grave(const Grave&) = delete;
  ~Grave() { *log += name; }
  std::string* log;
  char name;
};

Task<int> buried(std::string& log, char name, Duration length) {
  Grave grave(log, name);
  co_await sleep(length);
  co_return name;
}

// Reads a set to its end: "3 1 reset 2".
Task<std::string> read_all(JoinSet<int>& set) {
  std::string seen;
  for (;;) {
    std::optional<Result<int>> outcome = co_await set.next();
    if (!outcome) co_return seen;
    if (!seen.empty()) seen += ' ';
    seen += *outcome ? std::to_string(**outcome) : std::string(name(outcome->error().code()));
  }
}

std::vector<std::string>& watch_lost(Sim& sim, std::vector<std::string>& lost) {
  sim.reactor().on_unhandled_failure([&](const Error& error) { lost.push_back(to_string(error)); });
  return lost;
}

}  // namespace

TEST_CASE("JoinSet: yields outcomes in the order of finishing, failures among them") {
  Sim sim;
  std::vector<std::string> lost;
  watch_lost(sim, lost);
  JoinSet<int> set(sim.reactor());
  CHECK(set.empty());
  set.spawn(number(3ms, 3));
  set.spawn(number(1ms, 1));
  set.spawn(failing(2ms, Errc::reset));
  set.spawn(number(Duration(), 0));
  CHECK(set.running() == 4);
  CHECK(*sim.run(read_all(set)) == "0 1 reset 3");
  CHECK(sim.elapsed() == 3ms);
  CHECK(set.empty());
  CHECK(*sim.run(read_all(set)) == "");
  set.spawn(number(1ms, 5));  // it can be used again
  CHECK(*sim.run(read_all(set)) == "5");
  CHECK(lost.empty());
}

TEST_CASE("JoinSet: the same order as sorting by time") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Sim sim;
    Random random(seed);
    JoinSet<int> set(sim.reactor());
    struct Expected {
      Duration at;
      int value;
    };
    std::vector<Expected> expected;
    for (int i = 0; i < 200; ++i) {
      const Duration after = Duration(1ms) * static_cast<std::int64_t>(1 + random.next() % 40);
      set.spawn(number(after, i));
      expected.push_back({after, i});
    }
    std::ranges::stable_sort(expected, [](const Expected& a, const Expected& b) { return a.at < b.at; });
    std::string text;
    for (const Expected& e : expected) text += (text.empty() ? "" : " ") + std::to_string(e.value);
    CHECK(*sim.run(read_all(set)) == text);
  }
}

TEST_CASE("JoinSet: takes operations, functions with captures, move-only values, and nothing at all") {
  Sim sim;
  JoinSet<> nothing(sim.reactor());
  std::string log;
  nothing.spawn(sleep(1ms));
  nothing.spawn([&log, text = std::string("captured in a string that needs memory")]() -> Task<> {
    co_await sleep(2ms);
    log = text;
  });
  auto drain = [](JoinSet<>& set) -> Task<int> {
    int count = 0;
    for (;; ++count) {
      std::optional<Result<>> outcome = co_await set.next();
      if (!outcome) co_return count;
      CHECK(*outcome);
    }
  };
  CHECK(*sim.run(drain(nothing)) == 2);
  CHECK(log == "captured in a string that needs memory");

  JoinSet<std::unique_ptr<int>> owned(sim.reactor());
  owned.spawn([]() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); });
  Result<std::optional<Result<std::unique_ptr<int>>>> outcome = sim.run(owned.next());
  CHECK(****outcome == 7);
}

TEST_CASE("JoinSet: spawning starts nothing inside the call; its own tasks may spawn") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  bool started = false;
  auto body = [](bool& started) -> Task<int> {
    started = true;
    co_return 1;
  };
  set.spawn(body(started));
  CHECK_FALSE(started);
  auto parent = [](JoinSet<int>& set) -> Task<int> {
    set.spawn(number(1ms, 3));
    co_return 2;
  };
  set.spawn(parent(set));
  CHECK(*sim.run(read_all(set)) == "1 2 3");
}

TEST_CASE("JoinSet: try_next does not wait") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  CHECK_FALSE(set.try_next());
  set.spawn(number(1ms, 1));
  CHECK_FALSE(set.try_next());
  sim.advance(1ms);
  CHECK(set.running() == 0);
  CHECK_FALSE(set.empty());
  CHECK(**set.try_next() == 1);
  CHECK_FALSE(set.try_next());
}

TEST_CASE("JoinSet: several wait; each outcome goes to one of them, and all learn of the end") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  std::string first;
  std::string second;
  std::string third;
  auto read = [](JoinSet<int>& set, std::string& seen) -> Task<> {
    Result<std::string> all = co_await read_all(set).result();
    seen = *all + ".";
  };
  Scope scope(sim.reactor());
  for (int i = 1; i <= 4; ++i) set.spawn(number(Duration(1ms) * i, i));
  scope.spawn(read(set, first));
  scope.spawn(read(set, second));
  scope.spawn(read(set, third));
  CHECK(sim.run(scope.join()));
  CHECK(first == "1 4.");
  CHECK(second == "2.");
  CHECK(third == "3.");
}

TEST_CASE("JoinSet: a next that is cancelled loses no outcome") {
  Sim sim;
  std::vector<std::string> lost;
  watch_lost(sim, lost);
  JoinSet<int> set(sim.reactor());
  set.spawn(number(5ms, 1));
  CHECK(sim.run(with_timeout(1ms, set.next())).error() == Errc::timed_out);
  CHECK(*sim.run(read_all(set)) == "1");

  // Given to a task that is destroyed before it can run: the next that waits gets it.
  set.spawn(number(1ms, 2));
  std::string seen;
  auto read = [](JoinSet<int>& set, std::string& seen) -> Task<> {
    Result<std::string> all = co_await read_all(set).result();
    seen = *all + ".";
  };
  Scope scope(sim.reactor());
  auto giving_up = scope.spawn_joinable(set.next());
  scope.spawn(read(set, seen));
  set.spawn([&]() -> Task<int> {
    co_await sleep(1ms);
    giving_up.cancel();
    co_return 3;
  });
  CHECK(sim.run(scope.join()));
  CHECK(seen == "2 3.");
  CHECK(lost.empty());
}

TEST_CASE("JoinSet: the last outcome, given back, goes to another that was told of the end") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  set.spawn(number(1ms, 1));
  sim.settle();
  Scope scope(sim.reactor());
  auto giving_up = scope.spawn_joinable(set.next());
  auto staying = scope.spawn_joinable(set.next());
  // Runs behind the set's task in the same turn, before those that it made ready.
  scope.spawn([&]() -> Task<> {
    co_await sleep(1ms);
    giving_up.cancel();
  });
  auto outcome = sim.run(std::move(staying).join());
  REQUIRE(*outcome);
  CHECK(***outcome == 1);
}

TEST_CASE("JoinSet: cancel destroys the youngest first; each task has its outcome, with the reason") {
  Sim sim;
  std::vector<std::string> lost;
  watch_lost(sim, lost);
  std::string log;
  JoinSet<int> set(sim.reactor());
  set.spawn(buried(log, 'a', 1h));
  set.spawn(buried(log, 'b', 1h));
  set.spawn(buried(log, 'c', Duration()));
  sim.settle();
  CHECK(log == "c");
  set.spawn(buried(log, 'q', 1h));  // queued, never started
  set.cancel();
  CHECK(log == "cba");
  CHECK(set.running() == 0);
  CHECK(*sim.run(read_all(set)) == "99 cancelled cancelled cancelled");

  set.spawn(buried(log, 'd', 1h));
  Scope scope(sim.reactor());
  auto waiting = scope.spawn_joinable(set.next());
  sim.settle();
  set.cancel(Error(Errc::reset, "the client is gone"));
  auto outcome = sim.run(std::move(waiting).join());
  const Error error = (**outcome).error();
  CHECK(to_string(error) == "cancelled: reset: the client is gone");
  CHECK(*error.reason() == Errc::reset);
  CHECK(log == "cbad");
  CHECK(lost.empty());
}

TEST_CASE("JoinSet: its end cancels what runs, and reports the failures that nobody took") {
  Sim sim;
  std::vector<std::string> lost;
  watch_lost(sim, lost);
  std::string log;
  {
    JoinSet<int> set(sim.reactor());
    set.spawn(buried(log, 'a', 1h));
    set.spawn(buried(log, 'b', 1h));
    set.spawn(failing(1ms, Errc::reset));
    set.spawn(failing(2ms, Errc::not_found));
    sim.advance(2ms);
    CHECK(lost.empty());
    CHECK(*sim.run(set.next()));  // took the first
  }
  CHECK(log == "ba");
  CHECK(lost == std::vector<std::string>{"not_found: on purpose"});
}

TEST_CASE("JoinSet: destroyed by the end of a task that owned it") {
  Sim sim;
  std::vector<std::string> lost;
  watch_lost(sim, lost);
  std::string log;
  struct Owner {
    explicit Owner(Reactor& reactor) : set(reactor) {}
    JoinSet<int> set;
  };
  auto hold = [](std::shared_ptr<Owner> owner, bool fails) -> Task<int> {
    co_await sleep(1ms);
    CHECK(owner != nullptr);
    if (fails) co_await Error(Errc::reset, "the owner");
    co_return 1;
  };
  for (const bool fails : {false, true}) {
    auto owner = std::make_shared<Owner>(sim.reactor());
    owner->set.spawn(buried(log, 'a', 1h));
    owner->set.spawn(hold(owner, fails));
    owner->set.spawn(buried(log, 'b', 1h));
    owner.reset();
    sim.advance(2ms);
  }
  CHECK(log == "baba");
  CHECK(lost == std::vector<std::string>{"reset: the owner"});

  // Cancelled, likewise: with a reason and without.
  for (const bool reason : {false, true}) {
    auto owner = std::make_shared<Owner>(sim.reactor());
    JoinSet<int>& set = owner->set;
    set.spawn(hold(owner, false));
    set.spawn(buried(log, 'c', 1h));
    sim.settle();
    owner.reset();
    if (reason) {
      set.cancel(Error(Errc::reset));
    } else {
      set.cancel();
    }
  }
  CHECK(log == "babacc");
}

TEST_CASE("JoinSet: destroyed while somebody waits, or was given an outcome") {
  Sim sim;
  std::vector<std::string> lost;
  watch_lost(sim, lost);
  Scope scope(sim.reactor());
  std::optional<JoinSet<int>> set;
  set.emplace(sim.reactor());
  set->spawn(number(1h, 1));
  auto waiting = scope.spawn_joinable(set->next());
  sim.settle();
  set.reset();
  sim.settle();
  CHECK_FALSE(waiting.finished());
  waiting.cancel();

  set.emplace(sim.reactor());
  auto given = scope.spawn_joinable(set->next());
  sim.settle();
  set->spawn(failing(Duration(), Errc::reset));
  scope.spawn([&]() -> Task<> {
    co_await sleep(Duration());
    set.reset();
    given.cancel();
  });
  sim.settle();
  CHECK(set == std::nullopt);
}

TEST_CASE("JoinSet: as one of several that are waited for") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  set.spawn(number(2ms, 1));
  Event stop;
  auto body = [](JoinSet<int>& set, Event& stop) -> Task<std::size_t> {
    std::variant<std::optional<Result<int>>, std::monostate> what = co_await select(set.next(), stop.wait());
    co_return what.index();
  };
  CHECK(*sim.run(body(set, stop)) == 0);
  set.spawn(number(2ms, 1));
  stop.set();
  CHECK(*sim.run(body(set, stop)) == 1);
  CHECK(*sim.run(read_all(set)) == "1");
}

TEST_CASE("JoinSet: a task that keeps finishing does not keep the others from being seen") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  auto at_once = []() -> Task<int> { co_return 0; };
  // Two that are spawned again whenever they are seen, beside three that take a few turns.
  auto slow = [](int value) -> Task<int> {
    for (int i = 0; i < 3; ++i) co_await yield();
    co_return value;
  };
  auto see = [&]() -> Task<std::vector<int>> {
    std::vector<int> seen;
    set.spawn(at_once());
    set.spawn(at_once());
    for (int value = 1; value <= 3; ++value) set.spawn(slow(value));
    while (seen.size() < 30) {
      std::optional<Result<int>> outcome = co_await set.next();
      seen.push_back(**outcome);
      if (seen.back() == 0) set.spawn(at_once());
    }
    co_return seen;
  };
  std::vector<int> seen = *sim.run(see());
  CHECK(seen.size() == 30);
  std::erase(seen, 0);
  CHECK(seen == std::vector<int>{1, 2, 3});
}

TEST_CASE("JoinSet: whoever reads many outcomes lets others run in between, and loses none") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  constexpr int many = 1000;
  for (int i = 0; i < many; ++i) set.spawn(number(Duration(), i));
  sim.settle();
  REQUIRE(set.running() == 0);
  int seen = 0;
  int others = 0;
  auto read = [&]() -> Task<> {
    for (;;) {
      std::optional<Result<int>> outcome = co_await set.next();
      if (!outcome) co_return;
      CHECK(**outcome == seen);
      ++seen;
    }
  };
  auto other = [&]() -> Task<> {
    while (seen < many) {
      ++others;
      co_await yield();
    }
  };
  CHECK(sim.run(all(read(), other())));
  CHECK(seen == many);
  CHECK(others >= many / 128);
  CHECK(others < many);
}

TEST_CASE("JoinSet: an outcome is not lost with a reader that is cancelled while it lets others run") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  constexpr int many = 300;
  for (int i = 0; i < many; ++i) set.spawn(number(Duration(), i));
  sim.settle();
  int seen = 0;
  auto read = [&]() -> Task<> {
    for (;;) {
      std::optional<Result<int>> outcome = co_await set.next();
      if (!outcome) co_return;
      CHECK(**outcome == seen);
      ++seen;
    }
  };
  {
    Scope scope(sim.reactor());
    scope.spawn(read());
    sim.reactor().step();  // up to the first outcome that waits for another turn
    CHECK(seen == 127);
  }
  CHECK(sim.run(read()));
  CHECK(seen == many);
}
