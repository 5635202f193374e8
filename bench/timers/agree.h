// Agree first: a contender must fire what a sorted vector fires before anything of it is timed.
//
// Random schedules of a few hundred timers: arm, cancel, re-arm, drop and make anew, and time that moves by
// steps and by jumps, always to a whole millisecond, so that contenders that round deadlines up to
// milliseconds have the same timers due. In every step the ids must be those of the reference, and in its
// order: by deadline at the contender's resolution, and where equal in scheduling order if it promises that.

#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "bed.h"

namespace bench {

// The reference. A step sorts what is due.
class SortedVector {
 public:
  struct Entry {
    Ns deadline;
    std::uint64_t scheduled;
    std::uint32_t id;
  };

  void arm(std::uint32_t id, Ns deadline) { entries_.push_back({deadline, ++scheduled_, id}); }
  void cancel(std::uint32_t id) {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.id == id; });
  }
  // Returns the entries that are due, in order; deadlines count as rounded up to `resolution`.
  std::vector<Entry> step(Ns now, Ns resolution) {
    std::vector<Entry> due;
    std::erase_if(entries_, [&](const Entry& entry) {
      if (entry.deadline <= now) due.push_back(entry);
      return entry.deadline <= now;
    });
    for (Entry& entry : due) entry.deadline = (entry.deadline + resolution - 1) / resolution * resolution;
    std::sort(due.begin(), due.end(), [](const Entry& a, const Entry& b) {
      return a.deadline != b.deadline ? a.deadline < b.deadline : a.scheduled < b.scheduled;
    });
    return due;
  }

 private:
  std::vector<Entry> entries_;
  std::uint64_t scheduled_ = 0;
};

// Ids in the order of the reference; in any order among equal deadlines unless ties are promised.
inline std::string compare(const std::vector<SortedVector::Entry>& expected, const Fired& fired, bool ties) {
  if (fired.count() != expected.size())
    return std::to_string(fired.count()) + " fired instead of " + std::to_string(expected.size());
  for (std::size_t begin = 0, end = 0; begin < expected.size(); begin = end) {
    while (end < expected.size() && expected[end].deadline == expected[begin].deadline) ++end;
    std::vector<std::uint32_t> wanted;
    for (std::size_t i = begin; i < end; ++i) wanted.push_back(expected[i].id);
    std::vector<std::uint32_t> got(fired.begin() + begin, fired.begin() + end);
    if (!ties) std::sort(wanted.begin(), wanted.end());
    if (!ties) std::sort(got.begin(), got.end());
    if (wanted != got) return "another order than by deadline";
  }
  return "";
}

template <class C>
class Agreement {
 public:
  explicit Agreement(std::uint64_t seed) : random_(seed), bed_(timers), fired_(timers), armed_(timers) {}

  std::string run(int operations) {
    for (int i = 0; i < operations; ++i) {
      const std::string what = one_in(4) ? move_time(one_in(50) ? 70 * second : draw(200) * millisecond) : "";
      if (!what.empty()) return what + " after " + std::to_string(i) + " operations";
      if (!one_in(4)) change(static_cast<std::uint32_t>(draw(timers)));
    }
    return move_time(4000 * second);
  }

 private:
  static constexpr std::uint32_t timers = 300;

  Ns draw(Ns below) { return static_cast<Ns>(random_() % static_cast<std::uint64_t>(below)); }
  bool one_in(Ns n) { return draw(n) == 0; }

  // Some far, most near, many equal; whole milliseconds and others.
  Ns deadline() {
    Ns delay = one_in(3) ? draw(60 * second) : draw(300 * millisecond);
    if (one_in(2)) delay = delay / millisecond * millisecond;
    if (one_in(20)) delay = draw(3600) * second;
    return now_ + std::max(delay, 1 * millisecond);
  }

  void change(std::uint32_t id) {
    const Ns at = deadline();
    if (!armed_[id]) {
      bed_.queue.arm(bed_[id], at);
    } else {
      model_.cancel(id);
      if (one_in(3)) {
        bed_.queue.cancel(bed_[id]);
        armed_[id] = false;
        return;
      }
      bed_.queue.rearm(bed_[id], at);
    }
    model_.arm(id, at);
    armed_[id] = true;
  }

  std::string move_time(Ns by) {
    now_ += by;
    fired_.clear();
    while (bed_.queue.step(now_, fired_)) {
    }
    for (const std::uint32_t id : fired_) armed_[id] = false;
    return compare(model_.step(now_, C::resolution), fired_, C::ties_in_order);
  }

  std::mt19937_64 random_;
  Bed<C> bed_;
  SortedVector model_;
  Fired fired_;
  std::vector<bool> armed_;
  Ns now_ = start_time;
};

template <class C>
std::string agree(std::uint64_t seed) {
  return Agreement<C>(seed).run(20'000);
}

// Returns the contender's promise about order, in words.
template <class C>
std::string order_promised() {
  std::string order = C::resolution == 1 ? "by ns" : C::resolution == microsecond ? "by us" : "by ms";
  return order + (C::ties_in_order ? ", ties as scheduled" : ", ties in any order");
}

}  // namespace bench
