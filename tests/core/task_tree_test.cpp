// The task tree in simulated time: who waits for what, since when and where. Builds without it say so.

#include <escapement/core/task_tree.h>

#include <memory>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace named {

constexpr unsigned sleeper_line = __LINE__ + 1;
Task<> sleeper() { co_await sleep(1h); }

constexpr unsigned waiter_line = __LINE__ + 1;
Task<> waiter(Event& event) { co_await event.wait(); }

constexpr unsigned parent_line = __LINE__ + 3;
Task<> parent(Event& event) {
  co_await sleep(500ms);
  co_await waiter(event);
}

constexpr unsigned both_line = __LINE__ + 1;
Task<> both(Event& event) { co_await all(waiter(event), sleeper()); }

Task<> limited(Event& event) { co_await with_timeout(1h, waiter(event)); }

struct Member {
  template <class T>
  Task<> work(T length) const {
    co_await sleep(length);
  }
};

}  // namespace named

namespace {

std::string at(unsigned line) { return "task_tree_test.cpp:" + std::to_string(line); }

const TaskNode& only(const std::vector<TaskNode>& tasks) {
  REQUIRE(tasks.size() == 1);
  return tasks.front();
}

}  // namespace

TEST_CASE("task tree: a build without it has no tree, and its text says so") {
  if (task_tree_built) return;
  Sim sim;
  Scope scope(sim.reactor());
  scope.spawn(named::sleeper());
  sim.settle();
  CHECK(task_tree(sim.reactor()).empty());
  CHECK(to_text(task_tree(sim.reactor())).starts_with("no task tree"));
  CHECK(to_json(task_tree(sim.reactor())) == "[]");
}

TEST_CASE("task tree: the text of a small program") {
  if (!task_tree_built) return;
  Sim sim;
  Event event;
  Scope scope(sim.reactor());
  Scope empty(sim.reactor());
  scope.spawn(named::sleeper());
  scope.spawn(named::parent(event));
  sim.settle();
  sim.advance(1500ms);
  CHECK(to_text(task_tree(sim.reactor())) ==
        "task                waits for   for     at\n"
        "scope\n"
        "  named::sleeper    timer       1.5 s   " +
            at(named::sleeper_line) +
            "\n"
            "  named::parent     tasks       1.0 s   " +
            at(named::parent_line) +
            "\n"
            "    named::waiter   event       1.0 s   " +
            at(named::waiter_line) + "\n");
}

TEST_CASE("task tree: as JSON") {
  if (!task_tree_built) return;
  Sim sim;
  Scope scope(sim.reactor());
  scope.spawn(named::sleeper());
  sim.settle();
  sim.advance(250ms);
  CHECK(to_json(task_tree(sim.reactor())) ==
        R"([{"name":"scope","waits_for":"","seconds":0,"file":"","line":0,"tasks":[)"
        R"({"name":"named::sleeper","waits_for":"timer","seconds":0.25,"file":"task_tree_test.cpp","line":)" +
            std::to_string(named::sleeper_line) + R"(,"tasks":[]}]}])");
}

TEST_CASE("task tree: combinators show their children") {
  if (!task_tree_built) return;
  Sim sim;
  Event event;
  Scope scope(sim.reactor());
  scope.spawn(named::both(event));
  scope.spawn(named::limited(event));
  sim.settle();
  const std::vector<TaskNode> tree = task_tree(sim.reactor());
  const TaskNode& owner = only(tree);
  REQUIRE(owner.tasks.size() == 2);
  const TaskNode& both = owner.tasks[0];
  CHECK(both.name == "named::both");
  CHECK(both.line == named::both_line);
  const TaskNode& combined = only(both.tasks);
  REQUIRE(combined.tasks.size() == 2);
  CHECK(combined.tasks[0].name == "named::waiter");
  CHECK(combined.tasks[0].waits_for == "event");
  CHECK(combined.tasks[1].name == "named::sleeper");
  CHECK(combined.tasks[1].waits_for == "timer");
  const TaskNode& within = only(owner.tasks[1].tasks);
  CHECK(only(within.tasks).name == "named::waiter");
}

TEST_CASE("task tree: many tasks of one kind, some of them finished") {
  if (!task_tree_built) return;
  Sim sim;
  Event event;
  Scope scope(sim.reactor());
  scope.spawn([&]() -> Task<> {
    std::vector<Task<>> tasks;
    tasks.push_back(named::waiter(event));
    tasks.push_back(named::sleeper());
    co_await all(std::move(tasks));
  });
  sim.settle();
  event.set();
  sim.settle();
  const std::vector<TaskNode> tree = task_tree(sim.reactor());
  const TaskNode& function = only(only(tree).tasks);
  CHECK(function.name.ends_with("<lambda>"));
  const TaskNode& combined = only(function.tasks);
  REQUIRE(combined.tasks.size() == 2);
  CHECK(combined.tasks[0].waits_for == "finished");
  CHECK(combined.tasks[1].waits_for == "timer");
}

TEST_CASE("task tree: tasks that run, are ready, or were not started") {
  if (!task_tree_built) return;
  Sim sim;
  Event event;
  Scope scope(sim.reactor());
  std::vector<TaskNode> seen;
  scope.spawn(named::waiter(event));
  sim.settle();
  scope.spawn([&]() -> Task<> {
    co_await sleep(1ms);
    event.set();
    seen = task_tree(sim.reactor());
  });
  sim.advance(2ms);
  REQUIRE(only(seen).tasks.size() == 2);
  CHECK(seen[0].tasks[0].waits_for == "ready");
  CHECK(seen[0].tasks[1].waits_for == "running");
  CHECK(task_tree(sim.reactor()).empty());
  scope.spawn(named::sleeper());
  CHECK(only(only(task_tree(sim.reactor())).tasks).waits_for == "not started");
}

TEST_CASE("task tree: the task of run, and what it waits for itself") {
  if (!task_tree_built) return;
  Sim sim;
  std::vector<TaskNode> seen;
  auto looks = [&]() -> Task<> {
    co_await sleep(1s);
    seen = task_tree(sim.reactor());
  };
  auto outer = [&]() -> Task<> {  // lives as long as its task
    co_await looks();
  };
  REQUIRE(sim.run(outer()));
  CHECK(only(seen).name == "run");
  CHECK(task_tree(sim.reactor()).empty());
}

TEST_CASE("task tree: member functions and templates by their names") {
  if (!task_tree_built) return;
  Sim sim;
  Scope scope(sim.reactor());
  named::Member member;
  scope.spawn(member.work(Duration(1s)));
  sim.settle();
  const std::string name = only(only(task_tree(sim.reactor())).tasks).name;
  CHECK(name.starts_with("named::Member::work"));
}

TEST_CASE("task tree: the names that compilers give to functions") {
  using detail::short_function_name;
  CHECK(short_function_name("escapement::Task<void> api::fetch(std::string)") == "api::fetch");
  CHECK(short_function_name("void api::fetch(api::fetch(int, int)::_ZN3api5fetchEii.Frame*)") ==
        "api::fetch");
  CHECK(short_function_name("Task<int> api::Client::get(int) const") == "api::Client::get");
  CHECK(short_function_name("T n::coro(X, int) [X = int]") == "n::coro");
  CHECK(short_function_name("auto main()::(anonymous class)::operator()(int) const") == "main()::<lambda>");
  CHECK(short_function_name(
            "void main()::<lambda(int)>::operator()(main()::<lambda(int)>::_ZZ4mainE.Frame*)") ==
        "main()::<lambda>");
  CHECK(short_function_name("Task<> (anonymous namespace)::work(int)") == "work");
  CHECK(short_function_name("escapement::Task<> {anonymous}::work(int)") == "work");
  CHECK(short_function_name("main") == "main");
  CHECK(short_function_name("").empty());
}

TEST_CASE("task tree: a scope stands below the task that made it, at the top once that has ended") {
  if (!task_tree_built) return;
  Sim sim;
  Event event;
  std::unique_ptr<Scope> kept;
  Scope outer(sim.reactor());
  outer.spawn([&]() -> Task<> {
    Scope inner(co_await this_reactor);
    kept = std::make_unique<Scope>(sim.reactor());
    kept->spawn(named::sleeper());
    inner.spawn([&]() -> Task<> {
      Scope innermost(co_await this_reactor);
      innermost.spawn(named::waiter(event));
      co_await innermost.join();
    });
    co_await sleep(1s);
    co_await inner.join();
  });
  sim.settle();
  {
    const std::vector<TaskNode> tree = task_tree(sim.reactor());
    const TaskNode& maker = only(only(tree).tasks);
    CHECK(maker.waits_for == "timer");
    REQUIRE(maker.tasks.size() == 2);
    CHECK(maker.tasks[0].name == "scope");
    const TaskNode& joining = only(maker.tasks[0].tasks);
    REQUIRE(joining.tasks.size() == 2);  // join(), and the scope
    CHECK(only(joining.tasks[1].tasks).name == "named::waiter");
    CHECK(only(maker.tasks[1].tasks).name == "named::sleeper");
  }
  event.set();
  sim.advance(2s);
  const std::vector<TaskNode> tree = task_tree(sim.reactor());
  CHECK(only(tree).name == "scope");
  CHECK(only(only(tree).tasks).name == "named::sleeper");
}

TEST_CASE("task tree: many scopes, each made by a task of its own, in little time") {
  if (!task_tree_built) return;
  Sim sim;
  Scope outer(sim.reactor());
  constexpr std::size_t many = 20000;
  for (std::size_t i = 0; i < many; ++i) {
    outer.spawn([]() -> Task<> {
      Scope inner(co_await this_reactor);
      inner.spawn(named::sleeper());
      co_await inner.join();
    });
  }
  sim.settle();
  const std::vector<TaskNode> tree = task_tree(sim.reactor());
  const TaskNode& owner = only(tree);
  REQUIRE(owner.tasks.size() == many);
  CHECK(owner.tasks[many - 1].tasks.size() == 2);
}
