// Failures that nobody takes reach the reactor's handler, each once; those that somebody takes do not.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

// A simulation whose lost failures are written down.
struct World {
  World() {
    sim.reactor().on_unhandled_failure([this](const Error& error) { lost.push_back(to_string(error)); });
  }
  World(const World&) = delete;
  std::vector<std::string> lost;
  Sim sim;
};
using Lost = std::vector<std::string>;

Task<int> bad(Duration after = 1ms, std::string why = "on purpose") {
  co_await sleep(after);
  co_return Error(Errc::reset, std::move(why));
}

Task<> bad_too(Duration after = 1ms, std::string why = "on purpose") {
  co_await sleep(after);
  co_await Error(Errc::reset, std::move(why));
}

Task<> ticker(int& ticks) {
  for (;;) {
    co_await sleep(1ms);
    ++ticks;
  }
}

Task<> join(Scope& scope) { co_await scope.join(); }

}  // namespace

TEST_CASE("unhandled: of a scope that nobody joins, when it ends") {
  World world;
  int ticks = 0;
  auto program = [](int& ticks) -> Task<> {
    Reactor& reactor = co_await this_reactor;
    Scope scope(reactor);
    scope.spawn(ticker(ticks));
    scope.spawn(bad_too(5ms));
    co_await sleep(30ms);
  };
  CHECK(world.sim.run(program(ticks)));
  CHECK(ticks < 6);
  CHECK(world.lost == Lost{"reset: on purpose"});
}

TEST_CASE("unhandled: of a scope that was joined, nothing; what fails between the first failure and join") {
  World world;
  auto program = []() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    Scope scope(reactor);
    scope.spawn(bad_too(1ms, "first"));
    co_await sleep(2ms);
    scope.spawn(bad_too(1ms, "second"));
    co_await sleep(2ms);
    Result<> joined = co_await scope.join().result();
    CHECK(joined.error().message() == "first");
  };
  CHECK(world.sim.run(program()));
  CHECK(world.lost == Lost{"reset: second"});
}

TEST_CASE("unhandled: of a scope whose join was given up") {
  World world;
  {
    Scope joiners(world.sim.reactor());
    Scope scope(world.sim.reactor());
    scope.spawn(bad_too(5ms));
    joiners.spawn(join(scope));
    world.sim.advance(1ms);
    joiners.cancel();
    world.sim.advance(10ms);
    CHECK(world.lost.empty());  // somebody may join yet
  }
  CHECK(world.lost == Lost{"reset: on purpose"});
}

TEST_CASE("unhandled: of a scope with an empty on_failure, and what on_failure throws") {
  World world;
  Scope detached(world.sim.reactor(), nullptr);
  detached.spawn(bad_too());
  detached.spawn(bad_too());
  world.sim.advance(10ms);
  CHECK(world.lost == Lost{"reset: on purpose", "reset: on purpose"});
#ifdef __cpp_exceptions
  Scope throwing(world.sim.reactor(), [](const Error&) { throw std::string("oops"); });
  throwing.spawn(bad_too());
  world.sim.advance(10ms);
  CHECK(world.lost.back() == "exception: an exception that is no std::exception");
#endif
}

TEST_CASE("unhandled: of a handle that is kept and not joined, when it is dropped") {
  World world;
  Scope scope(world.sim.reactor());
  {
    JoinHandle<int> kept = scope.spawn_joinable(bad());
    JoinHandle<int> moved = scope.spawn_joinable(bad(1ms, "moved"));
    world.sim.advance(10ms);
    CHECK(kept.finished());
    CHECK(world.lost.empty());
    JoinHandle<int> to = std::move(moved);
  }
  CHECK(world.lost == Lost{"reset: moved", "reset: on purpose"});
  {
    Task<int> never_started = scope.spawn_joinable(bad(1ms, "asked for")).join();
    world.sim.advance(10ms);
  }
  CHECK(world.lost.back() == "reset: asked for");
}

TEST_CASE("unhandled: of a handle that was joined, or dropped earlier than the failure, only once") {
  World world;
  auto program = []() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    Scope scope(reactor);
    JoinHandle<int> handle = scope.spawn_joinable(bad());
    co_await sleep(5ms);
    Result<int> joined = co_await std::move(handle).join().result();
    CHECK(joined.error() == Errc::reset);
    {
      JoinHandle<int> dropped = scope.spawn_joinable(bad());
    }
    Result<> of_scope = co_await scope.join().result();
    CHECK(of_scope.error() == Errc::reset);
  };
  CHECK(world.sim.run(program()));
  CHECK(world.lost.empty());
}

TEST_CASE("unhandled: a join that was given up has the handle's failure reported, as nobody can ask again") {
  World world;
  Scope scope(world.sim.reactor(), [](const Error&) { FAIL("the handle had it"); });
  Scope joiners(world.sim.reactor());
  auto wait = [](JoinHandle<int> handle) -> Task<> {
    int value = co_await std::move(handle).join();
    CHECK(value == 0);
  };
  joiners.spawn(wait(scope.spawn_joinable(bad(5ms))));
  world.sim.settle();
  // Due after the failure, in the same turn; the one that waits would run in the next.
  auto give_up = [](Scope& joiners) -> Task<> {
    co_await sleep(5ms);
    joiners.cancel();
  };
  CHECK(world.sim.run(give_up(joiners)));
  CHECK(world.lost == Lost{"reset: on purpose"});
}

TEST_CASE("unhandled: being cancelled is no failure") {
  World world;
  auto cancelled = []() -> Task<> { co_await Error(Errc::cancelled); };
  {
    Scope scope(world.sim.reactor());
    scope.spawn(cancelled());
    Scope detached(world.sim.reactor(), nullptr);
    detached.spawn(cancelled());
    detached.spawn(bad_too(1h));
    JoinHandle<int> handle = detached.spawn_joinable(bad(1h));
    world.sim.advance(10ms);
    handle.cancel();
  }
  CHECK(world.lost.empty());
}

TEST_CASE("unhandled: a handle outlives the reactor") {
  std::optional<JoinHandle<int>> kept;
  {
    World world;
    Scope scope(world.sim.reactor());
    kept.emplace(scope.spawn_joinable([]() -> Task<int> { co_return Error(Errc::cancelled); }()));
    world.sim.settle();
  }
  CHECK(kept->finished());
}

TEST_CASE("unhandled: the handler may replace itself and spawn; each failure goes to the one that is set") {
  World world;
  Scope detached(world.sim.reactor(), nullptr);
  auto name = std::make_shared<std::string>("kept while it runs");
  world.sim.reactor().on_unhandled_failure([&world, &detached, name](const Error&) {
    world.sim.reactor().on_unhandled_failure(
        [&world](const Error& error) { world.lost.push_back("second: " + error.message()); });
    world.lost.push_back(*name);
    detached.spawn(bad_too(1ms, "again"));
  });
  name.reset();
  detached.spawn(bad_too());
  world.sim.advance(10ms);
  CHECK(world.lost == Lost{"kept while it runs", "second: again"});
}

#ifdef __cpp_exceptions
TEST_CASE("unhandled: what a posted function throws; the others run") {
  World world;
  bool ran = false;
  world.sim.reactor().post([] { throw std::string("oops"); });
  world.sim.reactor().post([&ran] { ran = true; });
  world.sim.settle();
  CHECK(ran);
  CHECK(world.lost == Lost{"exception: an exception that is no std::exception"});
}
#endif
