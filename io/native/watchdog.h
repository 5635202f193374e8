// Watchdog: reports turns of a reactor that took too long, with the tasks that had to wait meanwhile.

#pragma once

#include <functional>
#include <string_view>

#include <escapement/core/reactor.h>

namespace escapement {

// Writes a report after each turn longer than its limit: the length, the coroutine that ran longest (as the
// address that addr2line takes, code_location.h), and the task tree (core/task_tree.h), if the build has one.
// The tree shows the tasks as they are after the turn.
//
//     Watchdog watchdog(loop.reactor(), 100ms);
//     loop.reactor().watch_turns(&watchdog);
//
// A Loop does this itself in debug builds (LoopOptions::turn_max). A reactor has one watcher: LoopStats
// (middleware/observe/loop_stats.h), which counts turns too, takes the place of this one.
class Watchdog final : public TurnWatcher {
 public:
  // `write` receives each report, of several lines; empty: standard error. It must not destroy the reactor,
  // which must outlive the last turn that is watched. What it throws is dropped.
  Watchdog(Reactor& reactor, Duration limit, std::function<void(std::string_view)> write = {});

  void turn_ended(const Turn& turn) override;

 private:
  void report(const Turn& turn) const;

  Reactor& reactor_;
  Duration limit_;
  std::function<void(std::string_view)> write_;
};

}  // namespace escapement
