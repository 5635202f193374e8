// The wheel against an obvious sorted list: the same operations, and after each one the same next() and
// the same entries due, in the same order.

#include <escapement/timers/wheel.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/timers/detail/ticks.h>

#include "support/enumerate.h"
#include "support/wheel_model.h"

using namespace escapement;
using namespace escapement::test;

namespace {

constexpr std::int64_t tick = std::int64_t{1} << detail::tick_bits;
constexpr std::int64_t latest = INT64_MAX;

std::int64_t saturated(std::int64_t at, std::int64_t by) { return detail::add_saturating(at, by); }

// Deadlines where a wheel can go wrong, relative to its clock.
std::vector<std::int64_t> interesting_offsets() {
  std::vector<std::int64_t> offsets{-tick, -1, 0, 1, 1, tick - 1, tick, tick + 1};
  for (int level = 1; level < 5; ++level) {
    const std::int64_t span = tick << (11 * level);
    if (span <= 0) break;
    offsets.push_back(span - 1);
    offsets.push_back(span);
    offsets.push_back(span + tick);
  }
  offsets.push_back(latest - 1);
  offsets.push_back(latest);
  return offsets;
}

// Returns how much to do, from the environment: more than in everyday runs.
std::uint64_t number_wanted(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
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

TEST_CASE("TimerWheel: one step is bounded, and what it left comes in order") {
  const int count = 20'000;
  for (const std::int64_t spread :
       {std::int64_t{0}, std::int64_t{50}, tick * 500}) {  // one instant, a tick, a slot
    World world(count, 0);
    std::vector<int> in_order;
    for (int id = 0; id < count; ++id) {
      world.arm(id, 40'000'000'000 + spread * id / count);
      in_order.push_back(id);
    }
    std::vector<int> ids;
    List<Runnable> due;
    int calls = 0;
    do {
      world.wheel.advance(Instant::from_nanoseconds(41'000'000'000), due);
      const std::size_t before = ids.size();
      while (Runnable* runnable = due.pop_front()) ids.push_back(static_cast<Fired*>(runnable)->id);
      REQUIRE(ids.size() - before <= TimerWheel::step_max + 64);
      REQUIRE(++calls < 100);
      world.wheel.validate();
    } while (ids.size() < in_order.size());
    CHECK(calls > count / TimerWheel::step_max);
    CHECK(ids == in_order);
    CHECK(world.next() == Instant::never());
  }
}

TEST_CASE("TimerWheel: a step in which a slot moves down is bounded, too, and nothing fires early") {
  const int count = 20'000;
  const std::int64_t slot = tick << 11;  // of the second level
  const std::int64_t first = 40 * slot + 2 * tick;
  World world(count, 0);
  for (int id = 0; id < count; ++id) world.arm(id, first + tick * (id % 2000));
  std::vector<int> ids;
  List<Runnable> due;
  int calls = 0;
  do {
    world.wheel.advance(Instant::from_nanoseconds(first), due);
    while (Runnable* runnable = due.pop_front()) ids.push_back(static_cast<Fired*>(runnable)->id);
    REQUIRE(++calls < 100);
    world.wheel.validate();
  } while (world.unfinished(first));
  CHECK(calls >= count / TimerWheel::step_max);
  CHECK(ids == std::vector<int>{0, 2000, 4000, 6000, 8000, 10'000, 12'000, 14'000, 16'000, 18'000});
  CHECK(world.advance(first + slot).size() == count - ids.size());
}

TEST_CASE("TimerWheel: while a burst fires, entries leave, move and join") {
  const int count = 9'000;
  Pair pair(count + 10);
  for (int id = 0; id < count; ++id) pair.arm(id, 40'000'000'000 + id % 3);
  List<Runnable> due;
  std::vector<int> ids;
  const Instant now = Instant::from_nanoseconds(40'000'000'001);
  const auto advance_once = [&] {
    pair.wheel.wheel.advance(now, due);
    while (Runnable* runnable = due.pop_front()) ids.push_back(static_cast<Fired*>(runnable)->id);
  };
  while (ids.empty()) advance_once();
  std::vector<int> expected(ids);
  const std::vector<int> all = pair.model.advance(now.nanoseconds());
  REQUIRE(std::equal(ids.begin(), ids.end(), all.begin()));
  // The last two of those that have not fired go, the two before them move.
  REQUIRE(ids.size() + 10 < all.size());
  const std::size_t rest = all.size() - 4;
  expected.insert(expected.end(), all.begin() + ids.size(), all.begin() + rest);
  pair.wheel.destroy(all[rest]);
  pair.wheel.disarm(all[rest + 1]);
  pair.wheel.arm(all[rest + 2], now.nanoseconds());        // again, at the same time: last
  pair.arm(all[rest + 3], now.nanoseconds() + 5'000'000);  // later
  expected.push_back(all[rest + 2]);
  while (pair.wheel.next() <= now) advance_once();
  CHECK(ids == expected);
  CHECK(pair.agree());
  CHECK(pair.advance(latest));
}

// A loop that sleeps until next() each time: how often it wakes before something fires, and at what time.
namespace {

struct Idled {
  int wakes = 0;
  std::int64_t now = 0;
  std::vector<int> fired;
};

Idled idle_until_one_fires(World& world) {
  Idled idled;
  while (idled.fired.empty()) {
    idled.now = world.next().nanoseconds();
    ++idled.wakes;
    idled.fired = world.advance(idled.now);
  }
  return idled;
}

}  // namespace

TEST_CASE("TimerWheel: an idle loop wakes for a deadline, and in vain at most once per level") {
  for (const std::int64_t offset : interesting_offsets()) {
    CAPTURE(offset);
    World world(1, 0);
    world.arm(0, offset);
    world.wheel.flush_nursery();
    CHECK(idle_until_one_fires(world).wakes == 1);
  }
  // Far away, and too many in one slot to look for the earliest after it was cancelled.
  const std::int64_t deadline = 3600'000'000'000;
  const int crowd = 3 * TimerWheel::step_max;
  World world(crowd + 1, 0);
  for (int id = 0; id < crowd; ++id) world.arm(id, deadline + id);
  world.arm(crowd, deadline - 1);
  world.wheel.flush_nursery();
  world.disarm(crowd);
  const Idled idled = idle_until_one_fires(world);
  CHECK(idled.fired == std::vector<int>{0});
  CHECK(idled.now == deadline);
  CHECK(idled.wakes > 1);  // or this shows nothing
  CHECK(idled.wakes <= 1 + 5);
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

TEST_CASE("TimerWheel: a few entries need no level, and what many needed is given back") {
  TimerWheel wheel;
  const std::size_t empty = wheel.memory();
  CHECK(empty <= 512);
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < TimerWheel::nursery_max; ++i) {
    timers.push_back(std::make_unique<Timer>());
    timers.back()->entry.arm(wheel, Instant::from_nanoseconds(100'000'000 + i), timers.back()->fired);
  }
  CHECK(wheel.memory() == empty);
  for (int i = 0; i < 100'000; ++i) {
    timers.push_back(std::make_unique<Timer>());
    timers.back()->entry.arm(wheel, Instant::from_nanoseconds(30'000'000'000 + i), timers.back()->fired);
  }
  CHECK(wheel.size() == timers.size());
  CHECK(wheel.memory() - empty <= timers.size() * (sizeof(void*) * 13 / 8) + 40'000);
  timers.clear();
  CHECK(wheel.size() == 0);
  CHECK(wheel.memory() - empty <= 300'000);
}

TEST_CASE("TimerEntry: small enough to have a million of") {
  CHECK(sizeof(TimerEntry) == 12 + 2 * sizeof(void*));
}

// Every schedule of a few operations over the deadlines where a wheel can go wrong: with all entries in the
// levels, and with the last ones young. ESC_TEST_SCHEDULE=6 is an hour's walk.
namespace {

bool schedule_agrees(Enumerate& every, std::int64_t start, const std::vector<std::int64_t>& offsets,
                     bool settled) {
  const std::size_t operations = number_wanted("ESC_TEST_SCHEDULE", 3);
  Pair pair(2, start);
  std::int64_t now = start;
  const auto at = [&] { return saturated(now, every.one_of(offsets)); };
  for (std::size_t i = 0; i < operations; ++i) {
    switch (every.up_to(3)) {
      case 0: pair.arm(i == 0 ? 0 : static_cast<int>(every.up_to(1)), at()); break;
      case 1: pair.disarm(static_cast<int>(every.up_to(1))); break;
      case 2: pair.destroy(static_cast<int>(every.up_to(1))); break;
      default:
        now = std::max(now, at());
        if (!pair.advance(now)) return false;
    }
    if (settled) pair.wheel.wheel.flush_nursery();
    if (!pair.agree()) return false;
  }
  pair.validate();
  return pair.advance(latest) && pair.agree();
}

}  // namespace

TEST_CASE("TimerWheel: all short schedules agree with the model") {
  const std::vector<std::int64_t> offsets{-1, 0, 1, tick, (tick << 11) - 1, latest};
  for (const std::int64_t start : {(tick << 11) - tick - 5, latest - 2 * tick}) {
    for (const bool settled : {true, false}) {
      Enumerate every;
      while (every.next()) {
        if (schedule_agrees(every, start, offsets, settled)) continue;
        CAPTURE(start, settled, every.describe());
        FAIL("the wheel and the model differ");
      }
    }
  }
}

namespace {

// A life of a wheel: random operations from a random start, so that every part of the 64 bits is visited.
class RandomLife {
 public:
  // Crowded: everything happens within a few ticks, so that many entries share one.
  RandomLife(Random& random, bool crowded)
      : random_(random),
        crowded_(crowded),
        timers_(crowded ? 300 : 48),
        now_(static_cast<std::int64_t>(random.next() >> random.up_to(63)) / 2),
        pair(timers_, now_) {}

  bool operate() {
    const int id = static_cast<int>(random_.up_to(timers_ - 1));
    const std::uint64_t what = random_.up_to(99);
    if (what < 55) {
      pair.arm(id, saturated(now_, offset()));
    } else if (what < 65) {
      pair.disarm(id);
    } else if (what < 75) {
      pair.destroy(id);
    } else if (what < 80) {
      pair.wheel.wheel.flush_nursery();
    } else {
      now_ = saturated(now_, step());
      if (!pair.advance(now_)) return false;
    }
    return pair.agree();
  }

 private:
  // Returns a length of any size: as many small ones as large ones.
  std::int64_t any_length() { return static_cast<std::int64_t>(random_.next() >> (1 + random_.up_to(62))); }
  std::int64_t offset() {
    if (random_.one_in(4)) return offsets_[random_.up_to(offsets_.size() - 1)];
    return crowded_ ? static_cast<std::int64_t>(random_.up_to(2 * tick)) : any_length();
  }
  std::int64_t step() {
    if (crowded_) return static_cast<std::int64_t>(random_.up_to(tick / 16));
    const Instant next = pair.model.next();
    if (random_.one_in(3) && next != Instant::never())
      return std::max<std::int64_t>(0, next.nanoseconds() - now_);
    return any_length() >> 19;
  }

  Random& random_;
  bool crowded_;
  int timers_;
  std::int64_t now_;
  const std::vector<std::int64_t> offsets_ = interesting_offsets();

 public:
  Pair pair;
};

}  // namespace

// Its heap grows to many pages, shrinks, and is used again.
TEST_CASE("TimerWheel: thousands of equal deadlines, again and again") {
  constexpr int many = 3'000;
  Pair pair(many);
  for (int round = 0; round < 5; ++round) {
    const std::int64_t begin = round * 10 * tick;
    for (int id = 0; id < many; ++id) pair.arm(id, begin + 3 * tick + id % 3);
    for (int id = 0; id < many; id += 7) pair.destroy(id);
    CHECK(pair.agree());
    CHECK(pair.advance(begin + 3 * tick + 1));
    pair.validate();
    for (int id = 0; id < many; id += 5) pair.arm(id, begin + 3 * tick + 2);
    CHECK(pair.advance(begin + 4 * tick));
    CHECK(pair.agree());
    pair.validate();
  }
}

// One tick that begins slots of two levels, with an entry in each: the one armed from afar is on the higher
// level, the other, armed when the tick was near, on the lower.
TEST_CASE("TimerWheel: a tick that holds entries on several levels fires them in order") {
  const std::int64_t shared = tick << 11;
  const std::int64_t near = shared - 5 * tick;
  for (const int later : {-3, 0, 3}) {
    for (const bool settled : {false, true}) {
      CAPTURE(later, settled);
      Pair pair(2);
      pair.arm(0, shared + 10);
      pair.wheel.wheel.flush_nursery();
      CHECK(pair.advance(near));
      pair.arm(1, shared + 10 + later);
      if (settled) pair.wheel.wheel.flush_nursery();
      CHECK(pair.agree());
      CHECK(pair.advance(shared + 5 * tick));
      pair.validate();
    }
  }
}

// ESC_TEST_OPERATIONS=100000000 ESC_TEST_SEED=n for more.
TEST_CASE("TimerWheel: random operations agree with the model") {
  const std::uint64_t seed = number_wanted("ESC_TEST_SEED", 20261124);
  const std::uint64_t wanted = number_wanted("ESC_TEST_OPERATIONS", 300'000);
  CAPTURE(seed);
  Random random(seed);
  std::uint64_t done = 0;
  while (done < wanted) {
    RandomLife life(random, random.one_in(2));
    for (int i = 0; i < 4'000; ++i, ++done) {
      if (!life.operate()) FAIL("the wheel and the model differ after " << done << " operations");
    }
    life.pair.validate();
  }
}
