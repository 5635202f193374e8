// The part of task-local values (task_local.h) that the reactor and scopes know. A reactor whose tasks use
// none has none of it.

#pragma once

#include <memory>

#include <escapement/core/reactor.h>

namespace escapement::detail {

class SpawnedBase;

class TaskLocals {
 public:
  // Starts to keep them for `reactor`, with its next turn. Returns false if it does so already.
  static bool keep(Reactor& reactor);
  static TaskLocals* of(const Reactor& reactor) { return reactor.locals_; }
  virtual ~TaskLocals() = default;

  // Called before the reactor runs `runnable`, which sees the values of what waits for it; null: after that.
  virtual void enter(const Runnable* runnable) = 0;
  // Called when a task is spawned, which keeps the values that are seen now; and at its end. Without memory
  // the task is destroyed.
  virtual void spawned(SpawnedBase& task) = 0;
  virtual void ended(const Runnable& task) = 0;
  // Returns the values that the running code sees; null if there are none.
  virtual std::shared_ptr<const LocalValues> seen_now() = 0;
  // Returns the values that a spawned task keeps; null if it keeps none.
  virtual std::shared_ptr<const LocalValues> inherited(const Runnable& task) const = 0;

  bool (Reactor::* const run_queues)();  // the turns of a reactor that has them

 protected:
  TaskLocals();
};

}  // namespace escapement::detail
