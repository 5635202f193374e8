#include <escapement/timers/small_wheel.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

#include "support/wheel_model.h"

using namespace escapement;
using namespace escapement::test;

namespace {

// The wheel and its model, and how far the clock is. No entry is armed for a time before that of the clock.
struct SmallPair {
  explicit SmallPair(int count, std::int64_t start = 0)
      : now(start), timers(static_cast<std::size_t>(count)), wheel(Instant::from_nanoseconds(start)) {
    for (int id = 0; id < count; ++id) make(id);
  }
  void make(int id) {
    timers[static_cast<std::size_t>(id)] = std::make_unique<Timer>();
    timers[static_cast<std::size_t>(id)]->fired.id = id;
  }
  Timer& timer(int id) { return *timers[static_cast<std::size_t>(id)]; }
  void arm(int id, std::int64_t deadline) {
    timer(id).entry.arm(wheel, Instant::from_nanoseconds(deadline), timer(id).fired);
    model.arm(id, deadline);
  }
  void disarm(int id) {
    timer(id).entry.disarm();
    model.disarm(id);
  }
  void destroy(int id) {
    make(id);
    model.disarm(id);
  }
  // One call of the wheel's advance; what fires must be what the model fires first.
  bool step(std::int64_t to) {
    now = to;
    List<Runnable> due;
    wheel.advance(Instant::from_nanoseconds(to), due);
    while (Runnable* runnable = due.pop_front()) {
      if (!model.is_due(to) || model.fire() != static_cast<Fired*>(runnable)->id) return false;
    }
    return true;
  }
  bool advance(std::int64_t to) {
    do {
      if (!step(to)) return false;
    } while (wheel.next().nanoseconds() <= to);
    return !model.is_due(to);
  }
  // While entries are left that are due, any time that has passed will do.
  bool agree() {
    const Instant next = wheel.next();
    if (model.is_due(now)) return next.nanoseconds() <= now;
    return next == model.next() || (timers.size() > SmallWheel::step_max && next < model.next());
  }

  std::int64_t now;
  std::vector<std::unique_ptr<Timer>> timers;
  SmallWheel wheel;
  Model model;
};

}  // namespace

TEST_CASE("SmallWheel: one entry fires at its deadline and not a nanosecond before") {
  for (const std::int64_t start : {std::int64_t{0}, std::int64_t{1}, std::int64_t{123'456'789'012'345}}) {
    for (std::int64_t length = 1; length < (std::int64_t{1} << 61); length *= 3) {
      CAPTURE(start, length);
      SmallPair pair(1, start);
      pair.arm(0, start + length);
      CHECK(pair.agree());
      CHECK(pair.advance(start + length - 1));
      CHECK(pair.agree());
      CHECK(pair.timer(0).entry.armed());
      CHECK(pair.advance(start + length));
      CHECK_FALSE(pair.timer(0).entry.armed());
      CHECK(pair.wheel.next() == Instant::never());
    }
  }
}

TEST_CASE("SmallWheel: an entry for a time that has passed, and one for the end of time") {
  SmallPair pair(3);
  pair.arm(0, 1'000'000);
  CHECK(pair.advance(2'000'000));
  pair.arm(1, 500'000);
  CHECK(pair.wheel.next() <= Instant::from_nanoseconds(2'000'000));
  CHECK(pair.advance(2'000'000));
  pair.arm(2, INT64_MAX);
  CHECK(pair.wheel.next() == Instant::never());
  CHECK(pair.advance(INT64_MAX - 1));
  CHECK(pair.step(INT64_MAX));
  CHECK_FALSE(pair.timer(2).entry.armed());
}

TEST_CASE("SmallWheel: equal deadlines fire in the order they were armed, also those that were armed anew") {
  SmallPair pair(3'000);
  for (int id = 0; id < 3'000; ++id) pair.arm(id, 5'000'000 + id % 3);
  for (int id = 0; id < 3'000; id += 7) pair.arm(id, 5'000'001);
  for (int id = 1; id < 3'000; id += 11) pair.disarm(id);
  for (int id = 2; id < 3'000; id += 13) pair.destroy(id);
  CHECK(pair.agree());
  CHECK(pair.advance(4'999'999));
  CHECK(pair.advance(5'000'001));
  for (int id = 0; id < 3'000; id += 5) pair.arm(id, 5'000'002);
  CHECK(pair.advance(5'000'002));
  CHECK(pair.wheel.next() == Instant::never());
}

TEST_CASE("SmallWheel: one step is bounded, whether entries fire or move") {
  constexpr int many = 20'000;
  SmallPair pair(many);
  for (int id = 0; id < many; ++id) pair.arm(id, 1'000'000'000 + id / 2);
  int steps = 0;
  int fired = 0;
  List<Runnable> due;
  do {
    pair.wheel.advance(Instant::from_nanoseconds(2'000'000'000), due);
    int now = 0;
    while (due.pop_front() != nullptr) ++now;
    CHECK(now <= SmallWheel::step_max);
    fired += now;
    ++steps;
  } while (pair.wheel.next() <= Instant::from_nanoseconds(2'000'000'000));
  CHECK(fired == many);
  CHECK(steps >= many / SmallWheel::step_max);
}

TEST_CASE("SmallWheel: a wheel that is destroyed disarms what it holds") {
  std::vector<Timer> timers(100);
  {
    SmallWheel wheel;
    for (Timer& timer : timers) timer.entry.arm(wheel, Instant::from_nanoseconds(1 << 30), timer.fired);
  }
  for (const Timer& timer : timers) CHECK_FALSE(timer.entry.armed());
}

TEST_CASE("SmallWheel: an idle loop wakes for a deadline, and seldom in vain") {
  constexpr int many = 10'000;
  SmallPair pair(many);
  Random random(7);
  for (int id = 0; id < many; ++id) {
    pair.arm(id, 30'000'000'000 + static_cast<std::int64_t>(random.up_to(1'000'000'000)));
  }
  int wakes = 0;
  while (pair.model.next() != Instant::never()) {
    const std::int64_t wake = pair.wheel.next().nanoseconds();
    REQUIRE(wake <= pair.model.next().nanoseconds());
    REQUIRE(pair.step(std::max(wake, pair.now)));
    ++wakes;
  }
  CHECK(wakes <= many + many / 10);
}

TEST_CASE("SmallWheel: random operations agree with the model") {
  const std::uint64_t seed = 20261201;
  CAPTURE(seed);
  Random random(seed);
  for (int life = 0; life < 60; ++life) {
    const int count = 1 + static_cast<int>(random.up_to(life % 2 == 0 ? 40 : 4'000));
    const std::uint64_t reach = std::uint64_t{1} << (1 + random.up_to(40));
    SmallPair pair(count, static_cast<std::int64_t>(random.up_to(1'000'000'000'000)));
    CAPTURE(life, count, reach);
    for (int i = 0; i < 4'000; ++i) {
      const int id = static_cast<int>(random.up_to(static_cast<std::uint64_t>(count) - 1));
      switch (random.up_to(9)) {
        case 0: pair.disarm(id); break;
        case 1: pair.destroy(id); break;
        case 2: REQUIRE(pair.agree()); break;
        case 3: REQUIRE(pair.step(pair.now + static_cast<std::int64_t>(random.up_to(reach)))); break;
        case 4: REQUIRE(pair.advance(pair.now + static_cast<std::int64_t>(random.up_to(reach) / 8))); break;
        default: pair.arm(id, pair.now + static_cast<std::int64_t>(random.up_to(reach)));
      }
    }
    REQUIRE(pair.advance(pair.now + static_cast<std::int64_t>(reach)));
    REQUIRE(pair.wheel.next() == Instant::never());
  }
}
