// sleep, sleep_until: wait for the clock.

#pragma once

#include <coroutine>

#include <escapement/core/task.h>
#include <escapement/timers/entry.h>

namespace escapement {

// The operation (task.h) that `sleep` returns. It cannot fail. It holds its timer entry itself, so a sleep
// that is awaited directly allocates nothing; destroying the sleeping task takes the entry out of the wheel.
// Movable until it is awaited.
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Sleep
    : public detail::OperationBase<Sleep> {
 public:
  static constexpr const char* waits_for = "timer";
  // A length to sleep.
  struct For {
    Duration length;  // from when it is awaited
  };
  // An instant to sleep until.
  struct Until {
    Instant deadline;  // on the reactor's clock
  };
  explicit Sleep(For span) : timer_(Instant::from_nanoseconds(span.length.count())), has_length_(true) {}
  explicit Sleep(Until until) : timer_(until.deadline) {}
  Sleep(Sleep&& other) noexcept : timer_(other.timer_.deadline()), has_length_(other.has_length_) {}

  void await_resume() const noexcept {}
  void suspend(detail::PromiseBase& task) {
    Reactor& reactor = task.reactor();
    Instant deadline = timer_.deadline();
    if (has_length_) {
      const Duration length = Duration::nanoseconds(deadline.nanoseconds());
      deadline = length > Duration() ? reactor.precise_now() + length : reactor.now();
    }
    if (deadline <= reactor.now()) return reactor.ready_later(task);
    if (deadline != Instant::never()) timer_.arm(reactor.timers(), deadline, task);
  }

 private:
  TimerEntry timer_;  // until it is armed, it keeps the deadline or, in its place, the length
  bool has_length_ = false;
};

// `co_await sleep(100ms);` resumes when at least that long has passed since it was awaited: never early, by
// any clock the caller may hold against it, and with no bound on how late. Zero or less arms no timer and
// lets others run first, like yield(). `Duration::max()` sleeps until it is cancelled.
inline Sleep sleep(Duration length) { return Sleep(Sleep::For{length}); }

// Sleeps until a point in time. One that has passed behaves like sleep(0).
inline Sleep sleep_until(Instant deadline) { return Sleep(Sleep::Until{deadline}); }

}  // namespace escapement
