// Deadlines: several limits in time that share one timer entry.
//
// A limit is set and lifted far more often than it runs out. Lifting one is a single store, and so is setting
// one that is due later than the timer: the timer goes off too early then, and is armed again for the
// earliest limit that is left. Knows nothing of HTTP.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include <escapement/core/reactor.h>
#include <escapement/timers/entry.h>

namespace escapement::http::detail {

// Returns the deadline of a limit that begins at `now`; never() for Duration::max().
inline Instant after(Instant now, Duration limit) {
  return limit == Duration::max() ? Instant::never() : now + std::max(limit, Duration());
}

// `Kind` is an enum whose values are 0 to `kinds` - 1.
template <class Kind, std::size_t kinds>
class Deadlines {
 public:
  Deadlines() { clear(); }
  Deadlines(const Deadlines&) = delete;

  // Call before all else, and again to lend it to another target; no limit is set then. `target` is made
  // ready when a limit may have run out, and asks `take_expired`. Both must outlive this object or the next
  // `stop`.
  void attach(Reactor& reactor, Runnable& target) {
    reactor_ = &reactor;
    target_ = &target;
  }

  // Sets the limit of this kind; Instant::never() is none. If the timer has gone off and `take_expired` was
  // not asked yet, it stays so, and the target is woken to ask: a timer armed for the new limit would hide
  // the one that has run out. If memory runs out (std::bad_alloc) the deadline is noted but the timer may not
  // be armed: see `check_again`.
  void set(Kind kind, Instant deadline) {
    at(kind) = deadline;
    if (timer_expired()) return reactor_->ready(*target_);
    const bool early_enough = timer_.armed() && timer_.deadline() <= deadline;
    if (!early_enough && deadline != Instant::never()) arm(deadline);
  }
  void lift(Kind kind) { at(kind) = Instant::never(); }
  // Lifts all limits. The timer may still go off once, for nothing.
  void clear() { at_.fill(Instant::never()); }
  // Stops the timer. Call when all limits are lifted, or `clear` first.
  void stop() {
    timer_.disarm();
    waiting_ = false;
  }

  bool is_set(Kind kind) const { return at_[static_cast<std::size_t>(kind)] != Instant::never(); }
  // True from when the timer goes off until `take_expired` is asked.
  bool timer_expired() const { return waiting_ && !timer_.armed(); }

  // Returns the first kind whose limit has run out; its limit stays. `extend` is called with such a kind and
  // its deadline and returns the deadline that it has instead, or the same one: a later one goes on. If none
  // has run out, the timer is armed for the earliest that is left.
  template <class Extend>
  std::optional<Kind> take_expired(Extend extend) {
    waiting_ = false;
    for (std::size_t i = 0; i < kinds; ++i) {
      if (at_[i] > reactor_->now()) continue;
      at_[i] = extend(static_cast<Kind>(i), at_[i]);
      if (at_[i] <= reactor_->now()) return static_cast<Kind>(i);
    }
    const Instant earliest = *std::min_element(at_.begin(), at_.end());
    if (earliest != Instant::never()) arm(earliest);
    return std::nullopt;
  }

  // Wakes the target at once to ask `take_expired`, which tries to arm the timer again: after `set` or
  // another step found no memory.
  void check_again() {
    timer_.disarm();
    waiting_ = true;
    reactor_->ready(*target_);
  }

 private:
  Instant& at(Kind kind) { return at_[static_cast<std::size_t>(kind)]; }
  void arm(Instant deadline) {
    waiting_ = true;
    timer_.arm(reactor_->timers(), deadline, *target_);
  }

  Reactor* reactor_ = nullptr;
  Runnable* target_ = nullptr;
  std::array<Instant, kinds> at_;
  TimerEntry timer_;
  bool waiting_ = false;  // for the timer: it was armed, and nobody has asked since
};

}  // namespace escapement::http::detail
