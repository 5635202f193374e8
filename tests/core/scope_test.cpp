// Scopes, beyond the ordinary cases of task_test.cpp: spawning from inside, cancelling what is queued,
// handles, failures.

#include <escapement/core/scope.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

Task<> note(std::string& log, char name, Duration after = Duration()) {
  co_await sleep(after);
  log += name;
}

Task<> fail_after(Duration length, Errc code) {
  co_await sleep(length);
  co_await Error(code, "on purpose");
}

Task<std::unique_ptr<int>> make_later(int value) {
  co_await sleep(1ms);
  co_return std::make_unique<int>(value);
}

// Adds its name to a log when it is destroyed.
struct Grave {
  Grave(std::string& log, char name) : log(&log), name(name) {}
  ~Grave() { *log += name; }
  std::string* log;
  char name;
};

Task<> buried(std::string& log, char name, Duration length) {
  Grave grave(log, name);
  co_await sleep(length);
}

}  // namespace

TEST_CASE("Scope: spawning starts nothing inside the call, then in order") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string log;
  auto at_once = [](std::string& log, char name) -> Task<> {
    log += name;
    co_return;
  };
  scope.spawn(at_once(log, 'a'));
  scope.spawn(at_once(log, 'b'));
  CHECK(log.empty());
  CHECK(scope.size() == 2);
  sim.settle();
  CHECK(log == "ab");
  CHECK(scope.empty());
}

TEST_CASE("Scope: cancelling what is queued never starts it, and its arguments are destroyed") {
  Sim sim;
  auto witness = std::make_shared<int>(0);
  auto uses = [](std::shared_ptr<int> witness) -> Task<> {
    ++*witness;
    co_return;
  };
  Scope scope(sim.reactor());
  scope.spawn(uses(witness));
  CHECK(witness.use_count() == 2);
  scope.cancel();
  CHECK(witness.use_count() == 1);
  sim.settle();
  CHECK(*witness == 0);
  scope.spawn(uses(witness));  // it can be used again
  sim.settle();
  CHECK(*witness == 1);
}

TEST_CASE("Scope: its own tasks may spawn, and join waits for those too") {
  Sim sim;
  std::string log;
  struct Body {
    static Task<> grow(Scope& scope, std::string& log, int depth) {
      co_await sleep(10ms);
      log += static_cast<char>('0' + depth);
      if (depth < 5) scope.spawn(grow(scope, log, depth + 1));
    }
    static Task<> run(std::string& log) {
      Scope scope(co_await this_reactor);
      scope.spawn(grow(scope, log, 0));
      co_await scope.join();
    }
  };
  CHECK(sim.run(Body::run(log)));
  CHECK(log == "012345");
  CHECK(sim.elapsed() == 60ms);
}

TEST_CASE("Scope: join of an empty scope returns at once") {
  Sim sim;
  Scope scope(sim.reactor());
  CHECK(sim.run(scope.join()));
  CHECK(sim.elapsed() == Duration());
}

TEST_CASE("Scope: the first failure counts; those cancelled by it are gone before join fails") {
  Sim sim;
  std::string log;
  struct Body {
    static Task<> run(std::string& log) {
      Scope scope(co_await this_reactor);
      scope.spawn(buried(log, 'a', 1h));
      scope.spawn(fail_after(10ms, Errc::reset));
      scope.spawn(fail_after(10ms, Errc::not_found));
      scope.spawn(buried(log, 'b', 1h));
      Result<> joined = co_await scope.join().result();
      log += '|';
      CHECK(joined.error() == Errc::reset);
      Result<> again = co_await scope.join().result();
      CHECK(again);
    }
  };
  CHECK(sim.run(Body::run(log)));
  CHECK(log == "ba|");
}

TEST_CASE("Scope: a failure without a hook is kept until somebody joins") {
  Sim sim;
  Scope scope(sim.reactor());
  scope.spawn(fail_after(1ms, Errc::reset));
  sim.advance(1s);
  CHECK(sim.run(scope.join()).error() == Errc::reset);
}

TEST_CASE("Scope: destroyed in the middle, it cancels, the youngest first") {
  Sim sim;
  std::string log;
  struct Body {
    static Task<> run(std::string& log) {
      Scope scope(co_await this_reactor);
      scope.spawn(buried(log, '1', 1h));
      scope.spawn(buried(log, '2', 1h));
      scope.spawn(buried(log, '3', 1h));
      co_await sleep(1ms);
      co_await Error(Errc::limit_exceeded);
    }
  };
  CHECK(sim.run(Body::run(log)).error() == Errc::limit_exceeded);
  CHECK(log == "321");
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("Scope: the hook is told every failure and may spawn again") {
  Sim sim;
  int failures = 0;
  std::unique_ptr<Scope> scope;
  scope = std::make_unique<Scope>(sim.reactor(), [&](Error error) {
    CHECK(error == Errc::reset);
    if (++failures < 4) scope->spawn(fail_after(1ms, Errc::reset));
  });
  scope->spawn(fail_after(1ms, Errc::reset));
  CHECK(sim.run(scope->join()));
  CHECK(failures == 4);
  CHECK(sim.elapsed() == 4ms);
}

TEST_CASE("Scope: with an empty hook failures touch nobody") {
  Sim sim;
  sim.reactor().on_unhandled_failure([](const Error&) {});
  Scope scope(sim.reactor(), nullptr);
  std::string log;
  scope.spawn(fail_after(1ms, Errc::reset));
  scope.spawn(note(log, 'b', 2ms));
  CHECK(sim.run(scope.join()));
  CHECK(log == "b");
}

TEST_CASE("Scope: one task may cancel another through its handle") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string log;
  JoinHandle<void> victim = scope.spawn_joinable(buried(log, 'v', 1h));
  auto killer = [](JoinHandle<void>& victim, std::string& log) -> Task<> {
    co_await sleep(1ms);
    victim.cancel();
    log += '|';
    victim.cancel();  // nothing: it has finished
  };
  scope.spawn(killer(victim, log));
  sim.advance(1ms);
  CHECK(log == "v|");
  CHECK(victim.finished());
  CHECK(scope.empty());
}

TEST_CASE("JoinHandle: gives values that can only be moved") {
  Sim sim;
  Scope scope(sim.reactor());
  JoinHandle<std::unique_ptr<int>> handle = scope.spawn_joinable(make_later(5));
  CHECK_FALSE(handle.finished());
  Result<std::unique_ptr<int>> value = sim.run(std::move(handle).join());
  CHECK(**value == 5);
}

TEST_CASE("JoinHandle: a failure goes to the handle and not to the scope") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string log;
  JoinHandle<void> handle = scope.spawn_joinable(fail_after(1ms, Errc::reset));
  scope.spawn(note(log, 'x', 5ms));
  CHECK(sim.run(scope.join()));
  CHECK(log == "x");
  CHECK(sim.run(std::move(handle).join()).error() == Errc::reset);
}

TEST_CASE("JoinHandle: the failure of a task whose handle was dropped goes to the scope") {
  Sim sim;
  Scope scope(sim.reactor());
  {
    JoinHandle<void> handle = scope.spawn_joinable(fail_after(1ms, Errc::reset));
  }
  CHECK(sim.run(scope.join()).error() == Errc::reset);
}

TEST_CASE("JoinHandle: outlives the scope, whose end cancels the task") {
  Sim sim;
  auto scope = std::make_unique<Scope>(sim.reactor());
  JoinHandle<std::unique_ptr<int>> handle = scope->spawn_joinable(make_later(5));
  sim.settle();
  scope.reset();
  CHECK(handle.finished());
  CHECK(sim.run(std::move(handle).join()).error() == Errc::cancelled);
}

TEST_CASE("JoinHandle: whoever waits for it may be cancelled, and the task goes on") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string log;
  JoinHandle<void> handle = scope.spawn_joinable(note(log, 'x', 10ms));
  CHECK(sim.run(with_timeout(5ms, std::move(handle).join())).error() == Errc::timed_out);
  CHECK(scope.size() == 1);
  CHECK(sim.run(scope.join()));
  CHECK(log == "x");
}

// --- The owner of a scope may go with it, in the middle of it

namespace {

// Owned by what its own tasks hold.
struct Owner {
  explicit Owner(Reactor& reactor) : scope(reactor) {}
  Owner(Reactor& reactor, std::function<void(Error)> on_failure) : scope(reactor, std::move(on_failure)) {}
  Scope scope;
};

Task<> hold(std::shared_ptr<Owner> owner, Duration length) {
  co_await sleep(length);
  CHECK(owner != nullptr);
}

Task<> hold_and_fail(std::shared_ptr<Owner> owner, Duration length) {
  co_await sleep(length);
  CHECK(owner != nullptr);
  co_await Error(Errc::reset, "the owner");
}

// Cancels a scope when it is destroyed.
struct Canceller {
  explicit Canceller(Scope& s) : scope(&s) {}
  Canceller(const Canceller&) = delete;
  ~Canceller() { scope->cancel(); }
  Scope* scope;
};

Task<> cancelling_and_failing(Scope& scope, Duration length) {
  Canceller canceller(scope);
  co_await sleep(length);
  co_await Error(Errc::reset, "on purpose");
}

}  // namespace

TEST_CASE("Scope: its last owner stands in a task that ends, fails, or is cancelled by a failure") {
  Sim sim;
  std::vector<std::string> lost;
  sim.reactor().on_unhandled_failure([&](const Error& error) { lost.push_back(error.message()); });
  std::string log;

  auto owner = std::make_shared<Owner>(sim.reactor());
  owner->scope.spawn(buried(log, 'a', 1h));
  owner->scope.spawn(hold(owner, 1ms));
  owner->scope.spawn(buried(log, 'b', 1h));
  owner.reset();
  sim.advance(2ms);
  CHECK(log == "ba");

  owner = std::make_shared<Owner>(sim.reactor());
  owner->scope.spawn(buried(log, 'c', 1h));
  owner->scope.spawn(hold_and_fail(owner, 1ms));
  owner->scope.spawn(buried(log, 'd', 1h));
  owner.reset();
  sim.advance(2ms);
  CHECK(log == "badc");
  CHECK(lost == std::vector<std::string>{"the owner"});

  owner = std::make_shared<Owner>(sim.reactor());
  owner->scope.spawn(buried(log, 'e', 1h));
  owner->scope.spawn(fail_after(1ms, Errc::reset));
  owner->scope.spawn(hold(owner, 1h));
  owner->scope.spawn(buried(log, 'f', 1h));
  owner.reset();
  sim.advance(2ms);
  CHECK(log == "badcfe");
  CHECK(lost == std::vector<std::string>{"the owner", "on purpose"});
}

TEST_CASE("Scope: with an on_failure, its last owner stands in the failing task, or on_failure ends it") {
  Sim sim;
  std::vector<std::string> lost;
  std::vector<std::string> told;
  sim.reactor().on_unhandled_failure([&](const Error& error) { lost.push_back(error.message()); });
  std::string log;

  auto owner =
      std::make_shared<Owner>(sim.reactor(), [&](const Error& error) { told.push_back(error.message()); });
  owner->scope.spawn(buried(log, 'a', 1h));
  owner->scope.spawn(hold_and_fail(owner, 1ms));
  owner.reset();
  sim.advance(2ms);
  CHECK(log == "a");
  CHECK(told.empty());
  CHECK(lost == std::vector<std::string>{"the owner"});

  std::unique_ptr<Scope> scope;
  auto why = std::make_shared<std::string>("told: ");
  scope = std::make_unique<Scope>(sim.reactor(), [&, why](const Error& error) {
    scope.reset();
    told.push_back(*why + error.message());
  });
  why.reset();
  scope->spawn(buried(log, 'b', 1h));
  scope->spawn(fail_after(1ms, Errc::reset));
  scope->spawn(buried(log, 'c', 1h));
  sim.advance(2ms);
  CHECK(log == "acb");
  CHECK(told == std::vector<std::string>{"told: on purpose"});
}

TEST_CASE("Scope: cancelled by the destructor of a frame that failed, or is being cancelled") {
  Sim sim;
  std::string log;
  {
    Scope scope(sim.reactor());
    scope.spawn(buried(log, 'a', 1h));
    scope.spawn(cancelling_and_failing(scope, 1ms));
    scope.spawn(buried(log, 'b', 1h));
    sim.advance(2ms);
    CHECK(log == "ba");
    CHECK(scope.empty());
    CHECK(sim.run(scope.join()).error() == Errc::reset);
    log.clear();
  }
  Scope scope(sim.reactor());
  scope.spawn(buried(log, 'c', 1h));
  scope.spawn(cancelling_and_failing(scope, 1h));
  scope.spawn(cancelling_and_failing(scope, 1h));
  scope.spawn(buried(log, 'd', 1h));
  sim.advance(2ms);
  scope.cancel();
  CHECK(log == "dc");
  CHECK(scope.size() == 0);
}

TEST_CASE("JoinHandle: cancel from the destructor of the task's own frame") {
  Sim sim;
  struct Cancels {
    explicit Cancels(std::optional<JoinHandle<int>>& h) : handle(&h) {}
    Cancels(const Cancels&) = delete;
    ~Cancels() { (*handle)->cancel(); }
    std::optional<JoinHandle<int>>* handle;
  };
  auto task = [](std::optional<JoinHandle<int>>& handle, Duration length) -> Task<int> {
    Cancels cancels(handle);
    co_await sleep(length);
    co_await Error(Errc::reset);
    co_return 1;
  };
  Scope scope(sim.reactor());
  std::optional<JoinHandle<int>> handle;
  handle.emplace(scope.spawn_joinable(task(handle, 1h)));
  sim.settle();
  handle->cancel();
  CHECK(handle->finished());
  handle.emplace(scope.spawn_joinable(task(handle, 1h)));
  sim.settle();
  scope.cancel();
  CHECK(handle->finished());
  handle.emplace(scope.spawn_joinable(task(handle, 1ms)));
  sim.advance(2ms);
  CHECK(handle->finished());
  CHECK(scope.empty());
  CHECK(sim.run((*std::move(handle)).join()).error() == Errc::reset);
}

TEST_CASE("Scope: a spawned function and its captures live as long as the task, and end before its failure") {
  Sim sim;
  std::string log;
  Scope scope(sim.reactor(), [&](Error error) { log += error == Errc::reset ? '!' : '?'; });
  auto capture = std::make_shared<Grave>(log, 'c');
  scope.spawn([capture]() -> Task<> { co_await buried(*capture->log, 'f', 1ms); });
  scope.spawn([capture]() -> Task<> {
    Grave frame(*capture->log, 'f');
    co_await sleep(1ms);
    co_await Error(Errc::reset, "on purpose");
  });
  capture.reset();
  sim.settle();
  CHECK(log.empty());
  sim.advance(1ms);
  CHECK(log == "ffc!");
  CHECK(scope.empty());
}

TEST_CASE("Scope: a spawned function is not called before its turn, nor after it was cancelled") {
  Sim sim;
  Scope scope(sim.reactor());
  int calls = 0;
  auto counting = [&]() -> Task<> {
    ++calls;
    co_await sleep(1h);
  };
  scope.spawn(counting);
  CHECK(calls == 0);
  scope.cancel();
  sim.settle();
  CHECK(calls == 0);
  scope.spawn(counting);
  sim.settle();
  CHECK(calls == 1);
  scope.cancel();
  CHECK(scope.empty());
}

#ifdef __cpp_exceptions
TEST_CASE("Scope: a function that throws instead of returning its task fails like the task") {
  Sim sim;
  std::string told;
  Scope scope(sim.reactor(), [&](Error error) { told = to_string(error); });
  scope.spawn([]() -> Task<> { throw std::runtime_error("no task today"); });
  CHECK(scope.size() == 1);
  sim.settle();
  CHECK(told == "exception: no task today");
  CHECK(scope.empty());
}
#endif
