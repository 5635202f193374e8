// Ours. The target of an entry is the user's: in a program it is the coroutine that sleeps.

#include <escapement/timers/wheel.h>

#include "tasks.h"

namespace bench {
namespace {

using escapement::Instant;
using escapement::List;
using escapement::Runnable;
using escapement::TimerEntry;
using escapement::TimerWheel;

class Escapement {
 public:
  static std::string version() { return ""; }
  static constexpr bool is_floor = false;
  static constexpr Ns resolution = 1;
  static constexpr bool ties_in_order = true;
  static constexpr bool has_next = true;
  static constexpr int fresh_slots = 1;
  static constexpr std::size_t handle_bytes = sizeof(TimerEntry);

  struct Target final : Runnable {
    void run() override {}
    std::uint32_t id = 0;
  };
  struct Timer {
    Timer(Escapement&, std::uint32_t id) { target.id = id; }
    Target target;
    TimerEntry entry;
  };

  void arm(Timer& timer, Ns deadline) { timer.entry.arm(wheel_, at(deadline), timer.target); }
  void rearm(Timer& timer, Ns deadline) { arm(timer, deadline); }
  void cancel(Timer& timer) { timer.entry.disarm(); }
  void drop(Timer&) {}  // destroying disarms
  Ns next() { return wheel_.next().nanoseconds(); }
  void settle() {}

  // One call of `advance` does a bounded amount of work; what is due and left then makes next() <= now.
  bool step(Ns now, Fired& fired) {
    wheel_.advance(at(now), due_);
    while (Runnable* due = due_.pop_front()) fired.push(static_cast<Target*>(due)->id);
    return wheel_.next() <= at(now);
  }

 private:
  static Instant at(Ns time) { return Instant::from_nanoseconds(time); }

  TimerWheel wheel_{at(start_time)};
  List<Runnable> due_;
};

}  // namespace

Contender contender_escapement() { return describe<Escapement>("escapement"); }

}  // namespace bench
