#include "fuzz/wheel_game.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include <escapement/timers/detail/ticks.h>

#include "support/wheel_model.h"

namespace escapement::test {

namespace {

constexpr std::int64_t tick = std::int64_t{1} << detail::tick_bits;
constexpr std::int64_t earliest = INT64_MIN;
constexpr std::int64_t latest = INT64_MAX;
constexpr int first_timers = 16;
// Enough for several calls of `advance` to share what is due; few enough for a thousand games a second.
constexpr int timers_max = 2'600;

constexpr std::array<std::int64_t, 8> starts{0,     1'000'000'007,     (tick << 11) - tick - 5,   earliest,
                                             -tick, latest - 2 * tick, latest - (tick << 11) - 1, latest};
// Distances from a boundary.
constexpr std::array<std::int64_t, 8> deltas{0, -1, 1, -tick, tick, tick / 2, -tick * 64, tick - 1};
// Distances between the timers of a burst.
constexpr std::array<std::int64_t, 8> strides{0,          1, -1, tick / 8, -tick / 8, tick, tick * 2048 / 64,
                                              tick * 2048};

std::int64_t sum(std::int64_t at, std::int64_t by) { return detail::add_saturating(at, by); }

class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : left_(bytes) {}
  bool empty() const { return left_.empty(); }
  std::uint8_t next() {
    if (left_.empty()) return 0;
    const std::uint8_t byte = left_.front();
    left_ = left_.subspan(1);
    return byte;
  }

 private:
  std::span<const std::uint8_t> left_;
};

// A point in time that is worked out when it is needed.
struct Moment {
  std::uint8_t kind;
  std::uint8_t power;
  std::uint8_t delta;
};

// The action of a timer when it fires, once: as the continuation of a sleep would.
struct Reaction {
  std::uint8_t what;
  int other;
  Moment moment;
};

class WheelGame {
 public:
  explicit WheelGame(std::span<const std::uint8_t> input)
      : input_(input), now_(starts[input_.next() % starts.size()]), pair_(first_timers, now_) {}

  std::string play() {
    while (!input_.empty() && wrong_.empty()) {
      operate();
      compare_next();
      ++operations_;
    }
    pair_.validate();
    finish();
    return wrong_.empty() ? wrong_ : wrong_ + ", operation " + std::to_string(operations_);
  }

 private:
  void operate() {
    switch (input_.next() % 16) {
      case 0:
      case 1:
      case 2: return arm(timer(), moment());
      case 3: return pair_.disarm(timer());
      case 4: return pair_.destroy(timer());
      case 5: return arm_near(timer(), -1);
      case 6: return arm_near(timer(), 1);
      case 7: return advance(pair_.model.next().nanoseconds());
      case 8: return advance(sum(pair_.model.next().nanoseconds(), -1));
      case 9: return advance(sum(now_, input_.next() * (tick / 16)));
      case 10: return advance(moment());
      case 11: return burst();
      case 12: return thin_out();
      case 13:
      case 14: return react();
      default: return pair_.wheel.wheel.flush_nursery();
    }
  }

  // Mostly one of the first, which meet again and again.
  int timer() {
    const int byte = input_.next();
    return byte < 192 ? byte % first_timers : byte * 7919 % pair_.wheel.size();
  }
  Moment read_moment() {
    const std::uint8_t kind = input_.next();
    const std::uint8_t power = input_.next();
    return {kind, power, input_.next()};
  }
  std::int64_t moment() { return at(read_moment()); }

  std::int64_t at(Moment moment) const {
    const int shift = moment.power % 63;
    const std::int64_t delta = deltas[moment.delta % deltas.size()];
    switch (moment.kind % 8) {
      case 0: return sum(now_, moment.power * std::int64_t{moment.delta});
      case 1: return sum(now_, -moment.power * std::int64_t{moment.delta});
      case 2: return sum(sum(now_, std::int64_t{1} << shift), delta);
      // The next multiple of a power of two: where slots begin, whatever the wheel's levels are.
      case 3: return sum(sum((now_ >> shift) << shift, std::int64_t{1} << shift), delta);
      case 4: return sum(latest, -(moment.power * std::int64_t{moment.delta}));
      case 5: return moment.delta % 2 == 0 ? earliest : now_;
      case 6: return pair_.model.deadline(moment.power % pair_.wheel.size(), now_);
      default: return sum(pair_.model.next().nanoseconds(), delta);
    }
  }

  void arm(int id, std::int64_t deadline) { pair_.arm(id, deadline); }
  // From where it is, or from now.
  void arm_near(int id, int direction) {
    const std::int64_t length = std::int64_t{1} << (input_.next() % 63);
    arm(id, sum(pair_.model.deadline(id, now_), direction * length));
  }

  // Mostly a few: many take long.
  void burst() {
    const int byte = input_.next();
    const int count = byte < 240 ? 1 + byte / 4 : 160 * (byte - 239);
    const std::int64_t stride = strides[input_.next() % strides.size()];
    std::int64_t deadline = moment();
    const int begin = pair_.wheel.size();
    pair_.wheel.grow(std::min(begin + count, timers_max));
    for (int id = begin; id < pair_.wheel.size(); ++id, deadline = sum(deadline, stride)) arm(id, deadline);
  }
  // Every n-th timer is disarmed, destroyed or moved.
  void thin_out() {
    const int every = 1 + input_.next() % 7;
    const int what = input_.next() % 3;
    const std::int64_t to = moment();
    for (int id = 0; id < pair_.wheel.size(); id += every) {
      if (what == 0) pair_.disarm(id);
      if (what == 1) pair_.destroy(id);
      if (what == 2) arm(id, to);
    }
  }

  void react() {
    const int id = timer();
    const std::uint8_t what = input_.next();
    const int other = timer();
    reactions_[id] = {what, other, read_moment()};
  }
  void fire(int id) {
    const auto found = reactions_.find(id);
    if (found == reactions_.end()) return;
    const Reaction reaction = found->second;
    reactions_.erase(found);
    switch (reaction.what % 6) {
      case 0: return pair_.disarm(reaction.other);
      case 1: return pair_.destroy(reaction.other);
      case 2: return arm(id, at(reaction.moment));
      case 3: return arm(reaction.other, now_);
      case 4: return pair_.wheel.wheel.flush_nursery();
      default: return arm(reaction.other, at(reaction.moment));
    }
  }

  // As the reactor does: collect, then run; until nothing is left at this time.
  void advance(std::int64_t to) {
    now_ = std::max(now_, to);
    int calls = 0;
    do {
      List<Runnable> due;
      pair_.wheel.wheel.advance(Instant::from_nanoseconds(now_), due);
      compare(due);
      while (Runnable* runnable = due.pop_front()) fire(static_cast<Fired*>(runnable)->id);
      if (++calls > 10 * timers_max) differ("the wheel does not finish");
    } while (wrong_.empty() && pair_.wheel.unfinished(now_));
    if (pair_.model.is_due(now_)) differ("the wheel left a timer that is due");
  }
  // Checks that the entries which one call made due are the beginning of what the model has.
  void compare(List<Runnable>& due) {
    for (const Runnable& runnable : due) {
      if (!pair_.model.is_due(now_)) return differ("the wheel fired a timer that is not due");
      if (static_cast<const Fired&>(runnable).id != pair_.model.fire())
        return differ("the wheel fired out of order");
    }
  }

  // Exact, where there are few enough: next() looks at one that was moved later twice, where it stood and
  // where it goes, and at what has been destroyed in the current tick.
  void compare_next() {
    const Instant wheel = pair_.wheel.next();
    const Instant model = pair_.model.next();
    if (wheel > model) differ("next() is too late");
    if (wheel < model && pair_.wheel.size() <= TimerWheel::step_max / 4) differ("next() is too early");
  }

  // From one next() to the following one until nothing is armed: how often it wakes up for nothing is
  // bounded.
  void finish() {
    int idle = 0;
    while (wrong_.empty() && pair_.model.next() != Instant::never()) {
      const Instant before = pair_.model.next();
      advance(pair_.wheel.next().nanoseconds());
      if (pair_.model.next() == before && ++idle > 64) differ("next() wakes up for nothing");
      compare_next();
    }
    advance(latest);
    if (pair_.wheel.wheel.size() != 0) differ("the wheel holds a timer that has fired");
    pair_.validate();
  }

  void differ(const char* how) {
    if (wrong_.empty()) wrong_ = how;
  }

  Bytes input_;
  std::int64_t now_;
  Pair pair_;
  std::map<int, Reaction> reactions_;
  int operations_ = 0;
  std::string wrong_;
};

}  // namespace

std::string play_wheel(std::span<const std::uint8_t> input) { return WheelGame(input).play(); }

}  // namespace escapement::test
