// The timer wheel beside a model of it that is a sorted map: the same operations on both, and whether the
// same becomes due in the same order. What wheel_test.cpp and the fuzz target compare by.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <escapement/timers/wheel.h>

namespace escapement::test {

// Becomes ready when a timer is due: it knows which one it was.
struct Fired final : Runnable {
  int id = 0;
  void run() override {}
};

struct Timer {
  Fired fired;
  TimerEntry entry;
};

// The wheel and a row of timers, numbered from zero.
class World {
 public:
  World(int timers, std::int64_t start) : wheel(Instant::from_nanoseconds(start)) { grow(timers); }

  // Makes timers until there are so many.
  void grow(int timers) {
    for (int id = static_cast<int>(timers_.size()); id < timers; ++id) make(id);
  }
  void arm(int id, std::int64_t deadline) {
    timers_[id]->entry.arm(wheel, Instant::from_nanoseconds(deadline), timers_[id]->fired);
  }
  void disarm(int id) { timers_[id]->entry.disarm(); }
  // Another timer takes its place.
  void destroy(int id) { make(id); }
  Instant next() { return wheel.next(); }

  // The ids that are due, in order.
  std::vector<int> advance(std::int64_t now) {
    std::vector<int> ids;
    List<Runnable> due;
    do {
      wheel.advance(Instant::from_nanoseconds(now), due);
      while (Runnable* runnable = due.pop_front()) ids.push_back(static_cast<Fired*>(runnable)->id);
    } while (unfinished(now));
    return ids;
  }
  // Returns whether `advance` has left something for its next call. At the end of time `next()` cannot say
  // so.
  bool unfinished(std::int64_t now) {
    return wheel.next().nanoseconds() <= now && (now != INT64_MAX || wheel.size() != 0);
  }

  int size() const { return static_cast<int>(timers_.size()); }

 private:
  void make(int id) {
    if (id == size()) timers_.emplace_back();
    timers_[id] = std::make_unique<Timer>();
    timers_[id]->fired.id = id;
  }

  // Destroyed after the wheel, which disarms what it still holds.
  std::vector<std::unique_ptr<Timer>> timers_;

 public:
  TimerWheel wheel;
};

// The same, obviously: what is armed, in the order in which it is to fire.
class Model {
 public:
  void arm(int id, std::int64_t deadline) {
    disarm(id);
    const Key key(deadline, ++order_);
    armed_.emplace(key, id);
    key_of_[id] = key;
  }
  void disarm(int id) {
    const auto found = key_of_.find(id);
    if (found == key_of_.end()) return;
    armed_.erase(found->second);
    key_of_.erase(found);
  }
  Instant next() const {
    return armed_.empty() ? Instant::never() : Instant::from_nanoseconds(armed_.begin()->first.first);
  }
  std::vector<int> advance(std::int64_t now) {
    std::vector<int> ids;
    while (is_due(now)) ids.push_back(fire());
    return ids;
  }

  bool is_due(std::int64_t now) const { return !armed_.empty() && armed_.begin()->first.first <= now; }
  // Takes out the one that fires first; there is one.
  int fire() {
    const int id = armed_.begin()->second;
    disarm(id);
    return id;
  }
  // The deadline of one that is armed; `otherwise` when it is not.
  std::int64_t deadline(int id, std::int64_t otherwise) const {
    const auto found = key_of_.find(id);
    return found == key_of_.end() ? otherwise : found->second.first;
  }

 private:
  using Key = std::pair<std::int64_t, std::uint64_t>;  // deadline, how many were armed before

  std::map<Key, int> armed_;
  std::map<int, Key> key_of_;
  std::uint64_t order_ = 0;
};

struct Pair {
  explicit Pair(int timers, std::int64_t start = 0) : wheel(timers, start) {}

  void arm(int id, std::int64_t deadline) {
    wheel.arm(id, deadline);
    model.arm(id, deadline);
  }
  void disarm(int id) {
    wheel.disarm(id);
    model.disarm(id);
  }
  void destroy(int id) {
    wheel.destroy(id);
    model.disarm(id);
  }
  // False when the two differ.
  bool advance(std::int64_t now) { return wheel.advance(now) == model.advance(now); }
  bool agree() { return wheel.next() == model.next(); }
  void validate() { wheel.wheel.validate(); }

  World wheel;
  Model model;
};

}  // namespace escapement::test
