// LoopStats: measures how long a reactor's turns take and how late its timers fire, with a watchdog for long
// turns.

#pragma once

#include <functional>

#include <escapement/core/reactor.h>
#include <escapement/middleware/observe/metrics.h>
#include <escapement/timers/wheel.h>

namespace escapement {

// One reactor's statistics: `reactor.watch_turns(&stats)`. Calls `tell` after a turn that took longer than
// `limit`: everything else on this reactor has waited for it. Turn::longest_code is the coroutine that was
// resumed or, if a Server called one in that turn, the handler: behind layers the innermost, with a Router
// the one that it chose.
class LoopStats final : public TurnWatcher {
 public:
  // Makes statistics that begin at zero. Without `tell`, or with the longest limit, no turn is reported.
  explicit LoopStats(Duration limit = Duration::max(), std::function<void(const Turn&)> tell = {})
      : limit_(limit), tell_(std::move(tell)) {}

  void turn_ended(const Turn& turn) override;

  // Adds reactor_turns_total, reactor_turn_seconds_total, reactor_long_turns_total, timers_fired_total,
  // timer_lateness_seconds_total (of the first timer of each turn) and timers_live. This object and `timers`
  // must outlive the last scrape of `metrics`.
  void add_to(const http::Metrics& metrics, const TimerWheel& timers) const;

 private:
  Duration limit_;
  std::function<void(const Turn&)> tell_;
  std::uint64_t turns_ = 0;
  std::uint64_t long_turns_ = 0;
  std::uint64_t timers_ = 0;
  Duration length_;
  Duration lateness_;
};

// Returns "a turn of 312.4 ms; 5 things ran, the longest 310.1 ms", without the code location, which needs
// the program.
std::string describe(const Turn& turn);

}  // namespace escapement
