// Scopes, beyond the ordinary cases of task_test.cpp: spawning from inside, cancelling what is queued,
// handles, failures.

#include <escapement/core/scope.h>

#include <memory>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/io/sim.h>
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

TEST_CASE("Scope: with an empty hook failures are told to nobody and touch nobody") {
  Sim sim;
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
