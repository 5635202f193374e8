// Precision: how precisely a native loop fires its timers, and at what cost.
//
// A thread that sleeps until a deadline is late for three reasons, and each has its remedy here.
//
// 1. The kernel may fire a timer late on purpose, so that wake-ups fall together. epoll and ppoll allow
//    themselves the thread's timer slack (50 us on Linux), or 0.1 % of the wait where that is more (0.5 % in
//    a thread whose nice value is above 0; at most 100 ms): one second ahead they are 1.1 ms late. Both
//    pollers always ask for that much less, so that the end of the kernel's window is the deadline. No system
//    call is spent on it: a timerfd would be as exact, but setting it costs 15 to 24 % of an HTTP request.
//    When the kernel fires at the window's beginning, because it was awake anyway, the loop sleeps for the
//    rest.
// 2. The thread's slack itself: `timer_slack`.
// 3. Waking up takes time: 5 us when the core was busy a moment ago, 40 to 120 us when it sleeps deeply. No
//    sleep is shorter than that least time, and each ends that much before the deadline; a loop that wakes
//    up early after all asks for events, without sleeping, for the few microseconds. `warm_up` takes a
//    second, short sleep before the deadline, `spin` makes the part without sleep longer.
//
// None of this makes a timer early: the reactor looks at the clock before it fires anything.
// `esc-timers` measures what a machine makes of it (docs/timers.md).

#pragma once

#include <optional>

#include <escapement/core/error.h>
#include <escapement/core/time.h>

namespace escapement {

struct Precision {
  // The timer slack of the reactor's thread, 1 ns to 1 s; unset: the thread keeps its own. Set at the first
  // wait, on the thread that waits, with one system call; put back when the backend is destroyed on that
  // thread. It concerns everything else that sleeps on this thread, too. Costs wake-ups that would have
  // fallen together with others. Without effect in threads of a real-time class, which have no slack.
  std::optional<Duration> timer_slack;

  // Wakes up that long before a deadline which is more than twice as far away, and sleeps for the rest: the
  // core is awake then. 0 (off) to 10 ms; 200 us suits. Costs one more wake-up, some 20 us of CPU, for each
  // deadline at which the loop would have woken up; none for those that are cancelled or moved before.
  Duration warm_up;

  // Asks for events without sleeping for the last part before a deadline: 0 to 10 ms (less than 5 us is 5);
  // 60 to 100 us suits. Events are delivered meanwhile as always. Costs as much CPU before each deadline that
  // comes due.
  Duration spin;

  // The settings for programs that measure or play in time.
  static constexpr Precision precise() { return {Duration(1ns), 200us, Duration()}; }
};

// invalid_argument when something is out of its bounds.
Result<> check(const Precision& precision);

namespace detail {

// Plans the sleeps that the pollers ask of the kernel. Begins with the first wait on a thread.
class SleepPlan {
 public:
  // `precision` is within its bounds (checked).
  explicit SleepPlan(Precision precision);
  SleepPlan(const SleepPlan&) = delete;
  ~SleepPlan();

  // Called on the waiting thread before each wait; does something only the first time.
  void begin() {
    if (__builtin_expect(!begun_, 0)) begin_here();
  }

  // Returns the time to ask the kernel to sleep when a deadline is `left` away: less than that, so that
  // several sleeps may lead to one deadline; zero within reach of `spin`. The reactor then takes turn after
  // turn, which keeps what is about to fire in the caches, too.
  Duration ask(Duration left) const;

 private:
  void begin_here();

  Precision precision_;
  Duration spin_;                      // wake_up_least or more
  std::int64_t slack_divisor_ = 1000;  // the kernel adds the wait divided by this
  bool begun_ = false;
  int thread_ = 0;  // whose slack was changed
  Duration slack_before_;
};

}  // namespace detail

}  // namespace escapement
