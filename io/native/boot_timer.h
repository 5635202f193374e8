// BootTimer: waits on a clock that goes on while the machine is suspended (Linux: CLOCK_BOOTTIME).
//
//     std::unique_ptr<BootTimer> timer = co_await BootTimer::make(loop.backend());
//     co_await timer->sleep_until(boot_now() + 1h);     // one hour by the clock on the wall
//
// `sleep`, `with_timeout` and every limit of this library count the time in which the machine runs: their
// clock (CLOCK_MONOTONIC) stands still while a laptop's lid is closed or a virtual machine is paused. That is
// right for limits on somebody's progress, who did not run either: after resuming, a request still has the
// time that it had left. It is wrong for what ends by the calendar while the machine sleeps: a token that
// expires, a cache entry, a lease held on a server. For those there is this timer. If its deadline passes
// during suspension, it is due at once on resuming. It does not wake the machine. Unlike the wall clock,
// which is set by people and protocols, this clock never jumps otherwise, and never goes back.
//
// A loop whose own clock counted suspension would let all its timers expire at once on resuming; therefore it
// is not an option of the loop. A BootTimer costs a descriptor, and a system call for each setting: share one
// among deadlines that belong together.
//
// Source: clock_gettime(2), timerfd_create(2).

#pragma once

#include <compare>
#include <memory>

#include <escapement/core/task.h>
#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>

namespace escapement {

// A point on the clock that counts suspension. A type of its own, because an Instant is on another clock.
struct BootInstant {
  explicit BootInstant(Duration since) : since_boot(since) {}
  Duration since_boot;  // suspension included

  friend auto operator<=>(const BootInstant&, const BootInstant&) = default;
  friend BootInstant operator+(BootInstant from, Duration length) {
    return BootInstant(from.since_boot + length);
  }
  friend Duration operator-(BootInstant to, BootInstant from) { return to.since_boot - from.since_boot; }
};

// Reads the clock.
BootInstant boot_now();

class BootTimer {
 public:
  // `backend` must outlive the timer. Fails with overloaded if no descriptor is left or the timer cannot be
  // watched, and with unsupported on a system without such a timer.
  static Result<std::unique_ptr<BootTimer>> make(FdBackend& backend);
  BootTimer(const BootTimer&) = delete;
  ~BootTimer();

  // Waits until the clock has reached `deadline`, never less; at once if it has. One task at a time;
  // cancelling it leaves the timer free for another deadline.
  Task<> sleep_until(BootInstant deadline);
  // Waits for `length`, from the moment at which it is awaited.
  Task<> sleep(Duration length);

 private:
  BootTimer(FdBackend& backend, posix::Fd fd) : backend_(backend), fd_(std::move(fd)) {
    watch_.fd = fd_.get();
  }

  FdBackend& backend_;
  posix::Fd fd_;
  FdWatch watch_;
  bool watched_ = false;
};

}  // namespace escapement
