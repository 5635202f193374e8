// task_local: who sees a value, until when, and who does not.

#include <escapement/core/task_local.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/cancel_token.h>
#include <escapement/core/combine.h>
#include <escapement/core/event.h>
#include <escapement/core/for_each.h>
#include <escapement/core/generator.h>
#include <escapement/core/join_set.h>
#include <escapement/core/scope.h>
#include <escapement/core/shield.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

const TaskLocal<std::string> label;
const TaskLocal<int> number;

Task<std::string> name_now() {
  const std::string* value = co_await local(label);
  co_return value == nullptr ? "-" : *value;
}

Task<std::string> name_later() {
  co_await sleep(1ms);
  const std::string* value = co_await local(label);
  co_return value == nullptr ? "-" : *value;
}

// Before a wait, after it, and in the tasks below.
Task<std::string> names() {
  std::string all = co_await name_now();
  all += co_await name_later();
  all += co_await name_now();
  all += co_await name_later();
  co_return all;
}

std::string as_text(const std::string* value) { return value == nullptr ? "-" : *value; }

Task<> add_name(std::string& to) {
  std::string one = co_await name_later();
  to += one;
}

// Says when it goes.
struct Noted {
  Noted(std::string& log, std::string text) : log_(&log), text_(std::move(text)) {}
  Noted(Noted&& other) noexcept : log_(std::exchange(other.log_, nullptr)), text_(std::move(other.text_)) {}
  ~Noted() {
    if (log_ != nullptr) *log_ += text_;
  }
  std::string* log_;
  std::string text_;
};

const TaskLocal<Noted> noted;

Task<> wait_for(Event& event, std::string& log) {
  const Noted last(log, "frame ");
  co_await event.wait();
}

}  // namespace

TEST_CASE("task_local: nothing is seen where nothing was set") {
  Sim sim;
  CHECK(*sim.run(names()) == "----");
  CHECK(label.get(sim.reactor()) == nullptr);
  CHECK(*sim.run(with_local(number, 1, names())) == "----");
  CHECK(label.get(sim.reactor()) == nullptr);
}

TEST_CASE("task_local: the operation sees the value, at any depth, before and after waits") {
  Sim sim;
  CHECK(*sim.run(with_local(label, "a", names())) == "aaaa");
  CHECK(*sim.run(with_local(label, "b", [] { return names(); })) == "bbbb");
  CHECK(sim.run(with_local(label, "c", sleep(1ms))));
  CHECK(sim.elapsed() == 5ms);
}

TEST_CASE("task_local: the task around it and tasks beside it do not see the value") {
  Sim sim;
  std::string before, after;
  auto outer = [&]() -> Task<> {
    before = co_await names();
    std::string inside = co_await with_local(label, "a", names());
    CHECK(inside == "aaaa");
    after = co_await names();
  };
  CHECK(sim.run(outer()));
  CHECK(before == "----");
  CHECK(after == "----");
  auto both =
      sim.run(all(names(), with_local(label, "a", names()), names(), with_local(label, "b", names())));
  CHECK(*both ==
        std::tuple<std::string, std::string, std::string, std::string>("----", "aaaa", "----", "bbbb"));
}

TEST_CASE("task_local: an inner value hides the outer one, other keys stay") {
  Sim sim;
  auto both = []() -> Task<std::string> {
    co_await sleep(1ms);
    const std::string* text = co_await local(label);
    const int* count = co_await local(number);
    co_return as_text(text) + (count == nullptr ? "-" : std::to_string(*count));
  };
  auto inner = [&]() -> Task<std::string> {
    std::string seen = co_await both();
    seen += co_await with_local(label, "b", both);
    seen += co_await with_local(number, 2, both);
    seen += co_await with_local(label, "c", with_local(number, 3, with_local(label, "d", both())));
    seen += co_await both();
    co_return seen;
  };
  CHECK(*sim.run(with_local(label, "a", with_local(number, 1, inner))) == "a1b1a2d3a1");
}

TEST_CASE("task_local: what combines tasks passes values on") {
  Sim sim;
  auto combined = []() -> Task<std::string> {
    std::vector<Task<std::string>> tasks;
    for (int i = 0; i < 3; ++i) tasks.push_back(names());
    std::vector<std::string> several = co_await all(std::move(tasks));
    std::string seen;
    for (const std::string& one : several) seen += one;
    seen += co_await race(names(), names());
    seen += co_await with_timeout(1s, names());
    seen += co_await with_cancel(CancelToken(), names());
    std::variant<std::string, std::monostate> first = co_await select(names(), sleep(1h));
    seen += std::get<0>(first);
    const std::vector<int> items{1, 2, 3};
    co_await for_each(items, 2, [&](int) { return add_name(seen); });
    co_return seen;
  };
  CHECK(*sim.run(with_local(label, "a", combined)) == std::string(31, 'a'));
  CHECK(*sim.run(combined()) == std::string(31, '-'));
}

TEST_CASE("task_local: what a failing sibling wakes sees its own values") {
  Sim sim;
  auto failing = []() -> Task<std::string> {
    co_await sleep(1ms);
    co_await Error(Errc::reset, "on purpose");
    co_return "";
  };
  auto with_failure = [&]() -> Task<std::string> {
    std::vector<Task<std::string>> tasks;
    tasks.push_back(names());
    tasks.push_back(failing());
    Result<std::vector<std::string>> result = co_await all(std::move(tasks)).result();
    CHECK(result.error() == Errc::reset);
    co_return co_await name_now();
  };
  CHECK(*sim.run(with_local(label, "a", with_failure)) == "a");
}

TEST_CASE("task_local: a spawned task keeps what was seen where it was spawned, even after with_local") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string seen;
  std::string gone;
  auto spawning = [&]() -> Task<> {
    scope.spawn(add_name(seen));
    scope.spawn([&]() -> Task<> {
      std::string mine = co_await names();  // the function is called in its turn
      seen += mine;
    });
    scope.spawn([&]() -> Task<> {
      scope.spawn(add_name(seen));  // and passes it on
      co_return;
    });
    co_return;
  };
  CHECK(sim.run(with_local(label, "a", with_local(noted, Noted(gone, "gone"), spawning))));
  CHECK(seen.empty());
  CHECK(gone.empty());
  scope.spawn(add_name(seen));
  CHECK(sim.run(scope.join()));
  CHECK(seen == "a-aaaaa");
  CHECK(gone == "gone");
}

TEST_CASE("task_local: a joinable task, a join set and shield keep values") {
  Sim sim;
  Scope scope(sim.reactor());
  JoinSet<std::string> set(sim.reactor());
  auto spawning = [&]() -> Task<std::string> {
    set.spawn(names());
    JoinHandle<std::string> handle = scope.spawn_joinable(names());
    std::string seen = co_await std::move(handle).join();
    seen += co_await shield(scope, names());
    co_return seen;
  };
  CHECK(*sim.run(with_local(label, "a", spawning)) == "aaaaaaaa");
  auto collect = [&]() -> Task<std::string> {
    std::optional<Result<std::string>> one = co_await set.next();
    co_return co_await *std::move(one);
  };
  CHECK(*sim.run(collect()) == "aaaa");
}

TEST_CASE("task_local: a spawn from outside keeps nothing") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string seen;
  Event go;
  CHECK(sim.run(with_local(label, "a", sleep(1ms))));
  sim.reactor().post([&] { scope.spawn(add_name(seen)); });
  scope.spawn(add_name(seen));
  CHECK(sim.run(with_local(label, "a", sleep(5ms))));
  CHECK(seen == "--");
}

TEST_CASE("task_local: the handler of a scope's failures sees the values of the task that failed") {
  Sim sim;
  std::string seen;
  Scope scope(sim.reactor(), [&](const Error&) { seen += as_text(label.get(sim.reactor())); });
  auto spawning = [&]() -> Task<> {
    scope.spawn([]() -> Task<> {
      co_await sleep(1ms);
      co_await Error(Errc::reset, "on purpose");
    });
    co_return;
  };
  CHECK(sim.run(with_local(label, "a", spawning)));
  CHECK(sim.run(scope.join()));
  CHECK(seen == "a");
}

TEST_CASE("task_local: a function that is no coroutine sees the value") {
  Sim sim;
  auto look = [&]() -> Task<std::string> {
    std::string seen = as_text(label.get(sim.reactor()));
    co_await sleep(1ms);
    seen += as_text(label.get(sim.reactor()));
    co_return seen;
  };
  CHECK(*sim.run(with_local(label, "a", look)) == "aa");
  CHECK(label.get(sim.reactor()) == nullptr);
}

TEST_CASE("task_local: a generator's body sees what its consumer sees") {
  Sim sim;
  auto values = []() -> Generator<std::string> {
    std::string first = co_await name_now();
    co_yield first;
    std::string second = co_await name_later();
    co_yield second;
    co_await sleep(1ms);
    std::string third = co_await name_now();
    co_yield third;
  };
  Generator<std::string> generator = values();
  auto next = [&]() -> Task<std::string> {
    std::optional<std::string> one = co_await generator.next();
    co_return one.value_or("end");
  };
  CHECK(*sim.run(with_local(label, "a", next)) == "a");
  CHECK(*sim.run(with_local(label, "b", next)) == "b");
  CHECK(*sim.run(next()) == "-");
  CHECK(*sim.run(with_local(label, "c", next)) == "end");
}

TEST_CASE("task_local: a generator's body that its consumer has left sees nothing") {
  Sim sim;
  std::string seen;
  auto values = [&]() -> Generator<int> {
    co_await sleep(5ms);
    seen = co_await name_now();
    co_yield 1;
  };
  Generator<int> generator = values();
  auto give_up = [&]() -> Task<> {
    Result<std::optional<int>> one = co_await with_timeout(1ms, generator.next()).result();
    CHECK(one.error() == Errc::timed_out);
  };
  CHECK(sim.run(with_local(label, "a", give_up)));
  CHECK(sim.run(sleep(10ms)));
  CHECK(seen == "-");
}

TEST_CASE("task_local: cancelling destroys the operation, then the value") {
  Sim sim;
  Event event;
  std::string log;
  CHECK(sim.run(with_timeout(1ms, with_local(noted, Noted(log, "value"), wait_for(event, log)))).error() ==
        Errc::timed_out);
  CHECK(log == "frame value");
  log.clear();
  event.set();
  CHECK(sim.run(with_local(noted, Noted(log, "value"), wait_for(event, log))));
  CHECK(log == "frame value");
  log.clear();
  {
    Task<> never_started = with_local(noted, Noted(log, "value"), wait_for(event, log));
  }
  CHECK(log == "value");
}

TEST_CASE("task_local: a cancelled task that was spawned lets its values go") {
  Sim sim;
  Scope scope(sim.reactor());
  Event event;
  std::string log;
  auto spawning = [&]() -> Task<> {
    scope.spawn(wait_for(event, log));
    co_return;
  };
  CHECK(sim.run(with_local(noted, Noted(log, "value"), spawning)));
  CHECK(log.empty());
  scope.cancel();  // the task has not even started
  CHECK(log == "value");
}

TEST_CASE("task_local: failures pass, as without") {
  Sim sim;
  auto failing = [](bool wait) -> Task<int> {
    if (wait) co_await sleep(1ms);
    co_await Error(Errc::reset, "on purpose");
    co_return 1;
  };
  CHECK(sim.run(with_local(label, "a", failing(false))).error() == Errc::reset);
  CHECK(sim.run(with_local(label, "a", failing(true))).error() == Errc::reset);
  auto after = [&]() -> Task<std::string> {
    Result<int> failed = co_await with_local(label, "a", failing(true)).result();
    CHECK_FALSE(failed);
    co_return co_await names();
  };
  CHECK(*sim.run(with_local(label, "b", after)) == "bbbb");
}

#ifdef __cpp_exceptions
TEST_CASE("task_local: a function that throws fails the operation, and leaves nothing behind") {
  Sim sim;
  auto throwing = []() -> Task<std::string> { throw std::runtime_error("on purpose"); };
  CHECK(sim.run(with_local(label, "a", throwing)).error() == Errc::exception);
  CHECK(*sim.run(names()) == "----");
}
#endif

TEST_CASE("task_local: two reactors on one thread know nothing of each other") {
  Sim sim, other;
  auto outer = [&]() -> Task<std::string> {
    std::string seen = *other.run(names());
    seen += *other.run(with_local(label, "b", names()));
    seen += as_text(label.get(other.reactor()));
    seen += co_await names();
    co_return seen;
  };
  CHECK(*sim.run(with_local(label, "a", outer)) == "----bbbb-aaaa");
}

TEST_CASE("task_local: turns may be watched meanwhile, and no more") {
  struct Watcher : TurnWatcher {
    void turn_ended(const Turn&) override { ++turns; }
    int turns = 0;
  } watcher;
  Sim sim;
  sim.reactor().watch_turns(&watcher);
  CHECK(*sim.run(with_local(label, "a", names())) == "aaaa");
  CHECK(watcher.turns > 0);
  const int turns = watcher.turns;
  sim.reactor().watch_turns(nullptr);
  CHECK(*sim.run(with_local(label, "b", names())) == "bbbb");
  CHECK(watcher.turns == turns);
}

TEST_CASE("task_local: many values in a row take no more memory than one") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string log;
  int left = 2000;
  // Each task spawns the next under a value of its own.
  auto again = [&](auto& self) -> Task<> {
    if (--left == 0) co_return;
    auto spawn = [&scope, &self]() -> Task<> {
      scope.spawn(self(self));
      co_return;
    };
    co_await with_local(noted, Noted(log, "."), spawn);
  };
  scope.spawn(again(again));
  CHECK(sim.run(scope.join()));
  CHECK(log.size() == 1999);
}

TEST_CASE("task_local: a key is neither copied nor moved") {
  STATIC_CHECK_FALSE(std::is_copy_constructible_v<TaskLocal<int>>);
  STATIC_CHECK_FALSE(std::is_move_constructible_v<TaskLocal<int>>);
  STATIC_CHECK(sizeof(TaskLocal<std::string>) == 1);
}
