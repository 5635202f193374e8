// Cancelling with a reason: those who join see an error of kind cancelled that carries it.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

Error too_slow() {
  return Error(Errc::timed_out, "no answer within 5s")
      .ran_out(TimeLimit::overall, 5s, 5'001ms)
      .with_peer("a:1")
      .in_attempt(2);
}

void check_too_slow(const Error& error) {
  CHECK(error == Errc::cancelled);
  REQUIRE(error.reason());
  const Error reason = *error.reason();
  CHECK(reason == Errc::timed_out);
  CHECK(to_string(reason) == to_string(too_slow()));
  CHECK(reason.limit() == TimeLimit::overall);
  CHECK(reason.limit_length() == 5s);
  CHECK(reason.elapsed() == 5'001ms);
  CHECK(reason.peer() == "a:1");
  CHECK_FALSE(reason.reason());
}

Task<> forever(std::shared_ptr<int> witness) {
  co_await sleep(Duration::max());
  CHECK(witness != nullptr);
}

Task<int> number_at(Duration after) {
  co_await sleep(after);
  co_return 7;
}

Task<> fail_with(Duration after, Errc code) {
  co_await sleep(after);
  co_await Error(code, "on purpose");
}

}  // namespace

TEST_CASE("Error: a reason for cancelling keeps its data, and is printed") {
  static_assert(sizeof(Error) == sizeof(void*));
  const Error error = Error::cancelled(too_slow());
  check_too_slow(error);
  check_too_slow(Error(error));
  CHECK(to_string(error) == "cancelled: timed_out: no answer within 5s (attempt 2)");
  CHECK(to_string(Error::cancelled(Error(Errc::reset))) == "cancelled: reset");
}

TEST_CASE("Error: without a reason, or with one that was cancelled itself") {
  CHECK_FALSE(Error::cancelled().reason());
  CHECK_FALSE(Error(Errc::cancelled, "stopped").reason());
  CHECK_FALSE(Error(Errc::reset, "broken").reason());
  CHECK_FALSE(Error::cancelled(Error::cancelled()).reason());
  CHECK(to_string(Error::cancelled(Error(Errc::cancelled, "stopped"))) == "cancelled: stopped");
  check_too_slow(Error::cancelled(Error::cancelled(too_slow())));
}

TEST_CASE("Error: the errors that all share are not changed by being a reason") {
  const Error error = Error::cancelled(Error::out_of_memory());
  CHECK(error == Errc::cancelled);
  CHECK(error.reason()->message() == "out of memory");
  CHECK(Error::out_of_memory() == Errc::overloaded);
  CHECK_FALSE(Error::cancelled().reason());
}

TEST_CASE("JoinHandle: cancelled with a reason, whose task is gone by then") {
  Sim sim;
  Scope scope(sim.reactor());
  auto witness = std::make_shared<int>(0);
  JoinHandle<void> handle = scope.spawn_joinable(forever(witness));
  sim.settle();
  handle.cancel(too_slow());
  CHECK(witness.use_count() == 1);
  CHECK(handle.finished());
  handle.cancel(Error(Errc::reset));  // nothing: it has finished
  check_too_slow(sim.run(std::move(handle).join()).error());
  CHECK(sim.run(scope.join()));
}

TEST_CASE("JoinHandle: a reason comes too late for a task that has finished") {
  Sim sim;
  Scope scope(sim.reactor());
  JoinHandle<int> handle = scope.spawn_joinable(number_at(1ms));
  sim.advance(1ms);
  handle.cancel(too_slow());
  CHECK(*sim.run(std::move(handle).join()) == 7);
}

TEST_CASE("JoinHandle: one that was joined cannot be cancelled with a reason either, but its scope can") {
  Sim sim;
  Scope scope(sim.reactor());
  Scope others(sim.reactor());
  JoinHandle<int> handle = scope.spawn_joinable(number_at(1h));
  JoinHandle<int> joined = others.spawn_joinable(std::move(handle).join());
  sim.settle();
  scope.cancel(too_slow());
  check_too_slow(sim.run(std::move(joined).join()).error());
}

TEST_CASE("Scope: cancelled with a reason, all handles and join see it, in order") {
  Sim sim;
  std::vector<std::string> lost;
  sim.reactor().on_unhandled_failure([&](const Error& error) { lost.push_back(to_string(error)); });
  for (const bool told : {false, true}) {
    std::optional<Scope> scope;
    if (told) {
      scope.emplace(sim.reactor(), [](const Error&) { FAIL("being cancelled is no failure"); });
    } else {
      scope.emplace(sim.reactor());
    }
    auto witness = std::make_shared<int>(0);
    JoinHandle<void> first = scope->spawn_joinable(forever(witness));
    scope->spawn(forever(witness));
    JoinHandle<int> queued = scope->spawn_joinable(number_at(1h));
    Scope waiting(sim.reactor());
    JoinHandle<void> join = waiting.spawn_joinable(scope->join());
    sim.settle();
    scope->cancel(too_slow());
    CHECK(witness.use_count() == 1);
    CHECK(scope->empty());
    check_too_slow(sim.run(std::move(first).join()).error());
    check_too_slow(sim.run(std::move(queued).join()).error());
    check_too_slow(sim.run(std::move(join).join()).error());
    CHECK(sim.run(scope->join()));  // taken
    scope->spawn(forever(witness));
    scope->cancel();
    CHECK(sim.run(scope->join()));
  }
  CHECK(lost.empty());
}

TEST_CASE("Scope: a reason that nobody takes is not reported; an empty scope takes none") {
  Sim sim;
  std::vector<std::string> lost;
  sim.reactor().on_unhandled_failure([&](const Error& error) { lost.push_back(to_string(error)); });
  {
    Scope scope(sim.reactor());
    scope.cancel(too_slow());
    CHECK(sim.run(scope.join()));
    scope.spawn(forever(nullptr));
    scope.cancel(too_slow());
  }
  CHECK(lost.empty());
}

TEST_CASE("Scope: a failure that came before the reason stays the failure of join") {
  Sim sim;
  Scope scope(sim.reactor());
  scope.spawn(fail_with(1ms, Errc::reset));
  sim.advance(1ms);
  JoinHandle<int> later = scope.spawn_joinable(number_at(1h));
  scope.cancel(too_slow());
  CHECK(sim.run(scope.join()).error() == Errc::reset);
  check_too_slow(sim.run(std::move(later).join()).error());
}

TEST_CASE("Scope: the handles of those that a failure cancels have it as their reason") {
  Sim sim;
  Scope scope(sim.reactor());
  JoinHandle<int> handle = scope.spawn_joinable(number_at(1h));
  scope.spawn(fail_with(1ms, Errc::reset));
  scope.spawn(fail_with(1h, Errc::not_found));
  sim.advance(1ms);
  CHECK(sim.run(scope.join()).error() == Errc::reset);
  const Error error = sim.run(std::move(handle).join()).error();
  CHECK(error == Errc::cancelled);
  CHECK(to_string(*error.reason()) == "reset: on purpose");
}

TEST_CASE("Scope: cancelled with a reason where its last owner is in one of its tasks") {
  Sim sim;
  struct Owner {
    explicit Owner(Reactor& reactor) : scope(reactor) {}
    Scope scope;
  };
  auto hold = [](std::shared_ptr<Owner> owner) -> Task<> {
    co_await sleep(1h);
    CHECK(owner != nullptr);
  };
  auto owner = std::make_shared<Owner>(sim.reactor());
  JoinHandle<void> handle = owner->scope.spawn_joinable(hold(owner));
  JoinHandle<int> other = owner->scope.spawn_joinable(number_at(1h));
  sim.settle();
  Scope* scope = &owner->scope;
  owner.reset();
  scope->cancel(too_slow());
  check_too_slow(sim.run(std::move(handle).join()).error());
  check_too_slow(sim.run(std::move(other).join()).error());
}
