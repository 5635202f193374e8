// Deadlines: the earliest of several limits wakes the target, never early, and only what has run out is told.

#include <escapement/io/http/h1/deadlines.h>

#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/sim/sim.h>

using namespace escapement;

namespace {

enum class Kind { first, second, third };

struct World final : Runnable {
  World() { deadlines.attach(sim.reactor(), *this); }
  ~World() { deadlines.stop(); }

  void run() override {
    ++wakes;
    if (!deadlines.timer_expired()) return;
    const std::optional<Kind> expired = deadlines.take_expired([this](Kind kind, Instant deadline) {
      return kind == Kind::second && extension > Duration() ? deadline + std::exchange(extension, Duration())
                                                            : deadline;
    });
    if (!expired) return;
    log += std::to_string(static_cast<int>(*expired)) + '@' + std::to_string(sim.elapsed() / Duration(1ms)) +
           ' ';
    deadlines.lift(*expired);
  }
  Instant in(Duration time) { return sim.reactor().now() + time; }

  Sim sim;
  http::detail::Deadlines<Kind, 3> deadlines;
  Duration extension;
  int wakes = 0;
  std::string log;
};

}  // namespace

TEST_CASE("Deadlines: each limit runs out in its own time, in whatever order they were set") {
  World world;
  world.deadlines.set(Kind::third, world.in(300ms));
  world.deadlines.set(Kind::first, world.in(100ms));
  world.sim.advance(99ms);
  CHECK(world.wakes == 0);
  world.sim.advance(1ms);
  CHECK(world.log == "0@100 ");
  world.deadlines.set(Kind::second, world.in(500ms));
  world.deadlines.check_again();  // the third is still to come
  world.sim.advance(1s);
  CHECK(world.log == "0@100 2@300 ");
}

TEST_CASE("Deadlines: after one has run out the next is waited for when asked again") {
  World world;
  world.deadlines.set(Kind::first, world.in(100ms));
  world.deadlines.set(Kind::second, world.in(100ms));
  world.sim.advance(100ms);
  CHECK(world.log == "0@100 ");
  CHECK(world.deadlines.is_set(Kind::second));
  world.deadlines.check_again();
  world.sim.settle();
  CHECK(world.log == "0@100 1@100 ");
}

TEST_CASE("Deadlines: one that was lifted or moved later does not run out, though its timer goes off") {
  World world;
  world.deadlines.set(Kind::first, world.in(100ms));
  world.deadlines.lift(Kind::first);
  CHECK_FALSE(world.deadlines.is_set(Kind::first));
  world.deadlines.set(Kind::second, world.in(200ms));
  world.sim.advance(150ms);
  CHECK(world.log.empty());
  CHECK(world.wakes == 1);
  world.deadlines.set(Kind::second, world.in(250ms));
  world.sim.advance(1s);
  CHECK(world.log == "1@400 ");
}

TEST_CASE("Deadlines: an earlier limit moves the timer, and the later one still holds") {
  World world;
  world.deadlines.set(Kind::first, world.in(300ms));
  world.deadlines.set(Kind::second, world.in(100ms));
  world.sim.advance(100ms);
  CHECK(world.log == "1@100 ");
  world.deadlines.check_again();
  world.sim.advance(1s);
  CHECK(world.log == "1@100 0@300 ");
}

TEST_CASE("Deadlines: a limit that is extended when it runs out goes on to its new end") {
  World world;
  world.extension = 50ms;
  world.deadlines.set(Kind::second, world.in(100ms));
  world.sim.advance(149ms);
  CHECK(world.wakes == 1);
  CHECK(world.log.empty());
  world.sim.advance(1ms);
  CHECK(world.log == "1@150 ");
}

TEST_CASE("Deadlines: clear lifts all, stop keeps the timer quiet, never is no limit") {
  World world;
  world.deadlines.set(Kind::first, world.in(100ms));
  world.deadlines.set(Kind::third, Instant::never());
  CHECK_FALSE(world.deadlines.is_set(Kind::third));
  world.deadlines.clear();
  world.deadlines.stop();
  world.sim.advance(1s);
  CHECK(world.wakes == 0);
  world.deadlines.set(Kind::third, world.in(100ms));
  world.sim.advance(100ms);
  CHECK(world.log == "2@1100 ");
}

TEST_CASE("Deadlines: a limit set in the turn in which another one runs out does not hide that") {
  struct Setter final : Runnable {
    explicit Setter(World& w) : world(w) {}
    void run() override {
      expired = world.deadlines.timer_expired();
      world.deadlines.set(Kind::second, world.in(300ms));
    }

    World& world;
    TimerEntry timer;
    bool expired = false;
  };
  for (const bool owner_first : {false, true}) {
    CAPTURE(owner_first);
    World world;
    Setter setter(world);
    const auto arm = [&] { setter.timer.arm(world.sim.reactor().timers(), world.in(100ms), setter); };
    if (!owner_first) arm();
    world.deadlines.set(Kind::first, world.in(100ms));
    if (owner_first) arm();
    world.sim.advance(100ms);
    CHECK(setter.expired == !owner_first);
    CHECK(world.log == "0@100 ");
    world.deadlines.check_again();
    world.sim.advance(1s);
    CHECK(world.log == "0@100 1@400 ");
  }
}

TEST_CASE("Deadlines: an owner that did not ask when the timer went off is woken by the next limit") {
  struct Deaf final : Runnable {
    void run() override { ++wakes; }
    int wakes = 0;
  };
  World world;
  Deaf deaf;
  world.deadlines.attach(world.sim.reactor(), deaf);
  world.deadlines.set(Kind::first, world.in(100ms));
  world.sim.advance(200ms);
  CHECK(deaf.wakes == 1);
  CHECK(world.deadlines.timer_expired());
  world.deadlines.set(Kind::second, world.in(100ms));
  world.sim.settle();
  CHECK(deaf.wakes == 2);
  world.deadlines.attach(world.sim.reactor(), world);
  world.deadlines.check_again();
  world.sim.settle();
  CHECK(world.log == "0@200 ");
}
