// The wheel against an obvious sorted list: the same operations, and after each one the same next() and
// the same entries due, in the same order.

#include <escapement/timers/wheel.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/timers/ticks.h>

#include "support/enumerate.h"
#include "support/model_timers.h"

using namespace escapement;
using escapement::test::Enumerate;
using escapement::test::ModelTimers;

namespace {

constexpr std::int64_t tick = std::int64_t{1} << detail::tick_bits;
constexpr std::int64_t latest = INT64_MAX;

// What becomes ready when a timer is due: it knows which one it was.
struct Fired final : Runnable {
  int id = 0;
  void run() override {}
};

struct Timer {
  Fired fired;
  TimerEntry entry;
};

// One timer queue and a row of timers in it. Two of these get the same operations.
class World {
 public:
  World(std::unique_ptr<TimerQueue> queue, int timers) : queue_(std::move(queue)) {
    for (int id = 0; id < timers; ++id) timers_.emplace_back().fired.id = id;
  }

  void arm(int id, std::int64_t deadline) {
    timers_[id].entry.arm(*queue_, Instant::from_nanoseconds(deadline), timers_[id].fired);
  }
  void disarm(int id) { timers_[id].entry.disarm(); }
  Instant next() { return queue_->next(); }

  // The ids that are due, in order.
  std::vector<int> advance(std::int64_t now) {
    List<Runnable> due;
    queue_->advance(Instant::from_nanoseconds(now), due);
    std::vector<int> ids;
    while (Runnable* runnable = due.pop_front()) ids.push_back(static_cast<Fired*>(runnable)->id);
    return ids;
  }

  TimerQueue& queue() { return *queue_; }

 private:
  std::unique_ptr<TimerQueue> queue_;
  std::deque<Timer> timers_;
};

struct Pair {
  explicit Pair(int timers, std::int64_t start = 0)
      : wheel(std::make_unique<TimerWheel>(Instant::from_nanoseconds(start)), timers),
        model(std::make_unique<ModelTimers>(), timers) {}

  void arm(int id, std::int64_t deadline) {
    wheel.arm(id, deadline);
    model.arm(id, deadline);
  }
  void disarm(int id) {
    wheel.disarm(id);
    model.disarm(id);
  }
  // False when the two differ.
  bool advance(std::int64_t now) { return wheel.advance(now) == model.advance(now); }
  bool agree() { return wheel.next() == model.next(); }
  void validate() { static_cast<TimerWheel&>(wheel.queue()).validate(); }

  World wheel;
  World model;
};

std::int64_t saturated(std::int64_t at, std::int64_t by) { return detail::add_saturating(at, by); }

// Deadlines where a wheel can go wrong, relative to its clock.
std::vector<std::int64_t> interesting_offsets() {
  std::vector<std::int64_t> offsets{-tick, -1, 0, 1, 1, tick - 1, tick, tick + 1};
  for (int level = 1; level < 8; ++level) {
    const std::int64_t span = tick << (6 * level);
    if (span <= 0) break;
    offsets.push_back(span - 1);
    offsets.push_back(span);
    offsets.push_back(span + tick);
  }
  offsets.push_back(latest - 1);
  offsets.push_back(latest);
  return offsets;
}

std::uint64_t operations_wanted(std::uint64_t otherwise) {
  const char* text = std::getenv("ESC_TEST_OPERATIONS");
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::uint64_t seed_wanted() {
  const char* text = std::getenv("ESC_TEST_SEED");
  return text == nullptr ? 20261124 : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("TimerWheel: one entry fires at its deadline and not a nanosecond before") {
  for (const std::int64_t offset : interesting_offsets()) {
    const std::int64_t start = 1'000'000'007;
    const std::int64_t deadline = saturated(start, offset);
    CAPTURE(offset);
    Pair pair(1, start);
    pair.arm(0, deadline);
    REQUIRE(pair.wheel.next() == Instant::from_nanoseconds(deadline));
    if (deadline > start) REQUIRE(pair.wheel.advance(deadline - 1).empty());
    REQUIRE(pair.wheel.advance(std::max(deadline, start)) == std::vector<int>{0});
    REQUIRE(pair.wheel.next() == Instant::never());
  }
}

TEST_CASE("TimerWheel: an empty wheel has nothing due and next() is never") {
  TimerWheel wheel;
  List<Runnable> due;
  wheel.advance(Instant::from_nanoseconds(latest), due);
  CHECK(due.empty());
  CHECK(wheel.next() == Instant::never());
  CHECK(wheel.size() == 0);
}

TEST_CASE("TimerWheel: equal deadlines fire in the order they were armed, across cascades") {
  const std::int64_t deadline = 3600'000'000'000;  // an hour away: several levels up
  Pair pair(40);
  int id = 0;
  for (; id < 10; ++id) pair.arm(id, deadline);
  // More join while the clock comes closer and the entries before them move down.
  for (const std::int64_t left :
       {deadline / 2, std::int64_t{5'000'000'000}, std::int64_t{200'000'000}, tick * 3, std::int64_t{1}}) {
    REQUIRE(pair.advance(deadline - left));
    for (int i = 0; i < 6; ++i) pair.arm(id++, deadline);
  }
  std::vector<int> in_order(40);
  for (int i = 0; i < 40; ++i) in_order[i] = i;
  CHECK(pair.wheel.advance(deadline) == in_order);
}

TEST_CASE("TimerWheel: within one tick entries fire by deadline, whatever the order of arming") {
  Pair pair(4);
  pair.arm(0, 300);
  pair.arm(1, 100);
  pair.arm(2, 200);
  pair.arm(3, 100);
  CHECK(pair.wheel.advance(150) == std::vector<int>{1, 3});
  CHECK(pair.wheel.next() == Instant::from_nanoseconds(200));
  CHECK(pair.wheel.advance(1'000) == std::vector<int>{2, 0});
}

TEST_CASE("TimerWheel: a large tick in reverse order is sorted, equal deadlines as armed") {
  const int count = 5'000;
  Pair pair(count);
  for (int id = 0; id < count; ++id) pair.arm(id, 60'000 - id / 3);
  CHECK(pair.advance(59'000));
  CHECK(pair.advance(60'000));
}

TEST_CASE("TimerWheel: re-arming moves an entry earlier and later; a destroyed entry never fires") {
  Pair pair(2);
  pair.arm(0, 50'000'000'000);
  pair.arm(0, 1'000);
  CHECK(pair.wheel.next() == Instant::from_nanoseconds(1'000));
  pair.arm(0, 2'000'000'000);
  CHECK(pair.wheel.next() == Instant::from_nanoseconds(2'000'000'000));
  pair.disarm(0);
  CHECK(pair.wheel.next() == Instant::never());

  TimerWheel wheel;
  {
    Timer gone;
    gone.entry.arm(wheel, Instant::from_nanoseconds(10), gone.fired);
    CHECK(wheel.size() == 1);
  }
  CHECK(wheel.size() == 0);
}

TEST_CASE("TimerWheel: one jump over everything fires everything in order") {
  Pair pair(200);
  Random random(7);
  for (int id = 0; id < 200; ++id)
    pair.arm(id, static_cast<std::int64_t>(random.next() >> (1 + random.up_to(62))));
  CHECK(pair.advance(latest));
  CHECK(pair.agree());
}

TEST_CASE("TimerWheel: levels are allocated when first needed") {
  TimerWheel wheel;
  const std::size_t empty = wheel.memory();
  CHECK(empty <= 256);
  Timer timer;
  timer.entry.arm(wheel, Instant::from_nanoseconds(100'000'000), timer.fired);
  CHECK(wheel.memory() > empty);
  CHECK(wheel.memory() <= empty + 64 * 2 * sizeof(void*) + 64);
}

// Every schedule of a few operations over the deadlines where a wheel can go wrong.
TEST_CASE("TimerWheel: all short schedules agree with the sorted list") {
  const std::vector<std::int64_t> offsets = interesting_offsets();
  constexpr int timers = 2;
  constexpr int operations = 3;
  for (const std::int64_t start : {63 * tick + 5, latest - 2 * tick}) {
    Enumerate every;
    while (every.next()) {
      Pair pair(timers, start);
      std::int64_t now = start;
      bool same = true;
      for (int i = 0; i < operations && same; ++i) {
        const std::uint64_t what = every.up_to(2);
        if (what == 0) {
          const int id = static_cast<int>(every.up_to(timers - 1));
          pair.arm(id, saturated(now, offsets[every.up_to(offsets.size() - 1)]));
        } else if (what == 1) {
          pair.disarm(static_cast<int>(every.up_to(timers - 1)));
        } else {
          now = std::max(now, saturated(now, offsets[every.up_to(offsets.size() - 1)]));
          same = pair.advance(now);
        }
        same = same && pair.agree();
      }
      pair.validate();
      same = same && pair.advance(latest) && pair.agree();
      if (!same) {
        CAPTURE(start, every.describe());
        FAIL("the wheel and the model differ");
      }
    }
  }
}

TEST_CASE("TimerWheel: random operations agree with the sorted list") {
  const std::uint64_t seed = seed_wanted();
  const std::uint64_t wanted = operations_wanted(300'000);
  CAPTURE(seed);
  Random random(seed);
  const std::vector<std::int64_t> offsets = interesting_offsets();
  std::uint64_t done = 0;
  while (done < wanted) {
    // Short lives from random starts, so that every part of the 64 bits is visited.
    std::int64_t now = static_cast<std::int64_t>(random.next() >> random.up_to(63)) / 2;
    constexpr int timers = 64;
    Pair pair(timers, now);
    for (int i = 0; i < 2'000; ++i, ++done) {
      const int id = static_cast<int>(random.up_to(timers - 1));
      const std::uint64_t what = random.up_to(9);
      if (what < 5) {
        std::int64_t offset = static_cast<std::int64_t>(random.next() >> (1 + random.up_to(62)));
        if (random.one_in(4)) offset = offsets[random.up_to(offsets.size() - 1)];
        pair.arm(id, saturated(now, offset));
      } else if (what < 7) {
        pair.disarm(id);
      } else {
        const Instant next = pair.model.next();
        std::int64_t step = static_cast<std::int64_t>(random.next() >> (20 + random.up_to(43)));
        if (random.one_in(3) && next != Instant::never())
          step = std::max<std::int64_t>(0, next.nanoseconds() - now);
        now = saturated(now, step);
        if (!pair.advance(now)) FAIL("different entries due after " << done << " operations");
      }
      if (pair.wheel.next() != pair.model.next()) FAIL("next() differs after " << done << " operations");
    }
    pair.validate();
  }
}
