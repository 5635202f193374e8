// Interval: ticks at a fixed period, without drift.

#pragma once

#include <escapement/core/detail/check.h>
#include <escapement/timers/sleep.h>

namespace escapement {

// The treatment of ticks that fell due while nobody waited for them. Applies only to a tick that is
// more than 5 ms late; a tick that is a little late is followed by the next one on schedule.
enum class Missed {
  burst,  // all of them at once, then on schedule: `next due = due + period`
  delay,  // none of them; the schedule starts again from now: `next due = now + period`
  skip,   // none of them; on schedule: `next due = the next multiple of the period after now`
};

// Yields ticks: `Interval tick(1s); for (;;) { co_await tick.next(); ... }`. The first tick comes at once,
// the n-th one n periods after the first was due, however long the work in between takes.
//
// Cancelling a wait for a tick loses no tick. Must not be copied while a task waits.
class Interval {
 public:
  // `period` must be greater than zero (checked).
  explicit Interval(Duration period, Missed missed = Missed::burst) : period_(period), missed_(missed) {
    ESC_CHECK(period > Duration(), "the period of an Interval must be greater than zero");
  }

  // Waits for the next tick. Yields the instant at which it was due.
  Task<Instant> next() {
    Reactor& reactor = co_await this_reactor;
    if (!started_) schedule(reactor.precise_now());
    if (due_ > reactor.now()) co_await sleep_until(due_);
    const Instant due = due_;
    due_ = following(due, reactor.now());
    co_return due;
  }

  // Makes the next tick due one period from now.
  void reset(Instant now) { schedule(now + period_); }
  // Makes the next tick due at once.
  void reset_immediately(Instant now) { schedule(now); }
  // Makes the next tick due after `length`.
  void reset_after(Instant now, Duration length) { schedule(now + length); }
  // Makes the next tick due at `deadline`.
  void reset_at(Instant deadline) { schedule(deadline); }

  // Returns the period that it was made with.
  Duration period() const { return period_; }

 private:
  void schedule(Instant due) {
    due_ = due;
    started_ = true;
  }

  Instant following(Instant due, Instant now) const {
    const Duration late = now - due;
    if (missed_ == Missed::burst || late <= Duration(5ms)) return due + period_;
    if (missed_ == Missed::delay) return now + period_;
    return now + period_ - Duration::nanoseconds(late.count() % period_.count());
  }

  Duration period_;
  Missed missed_;
  bool started_ = false;
  Instant due_;
};

}  // namespace escapement
