// Scope: owns running tasks. No task outlives its scope; destroying the scope cancels them.
//
// This is the only way to run something beside what one awaits, and the handle for "stop this": a server
// owns a Scope of connections, the Worker glue one per request.

#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <escapement/core/event.h>
#include <escapement/core/task.h>

namespace escapement {

template <class T>
class JoinHandle;

namespace detail {
class SpawnedBase;
template <class T>
class Spawned;
template <class T>
struct Outcome;
}  // namespace detail

class Scope {
 public:
  // A task's failure cancels the others and is what join() fails with.
  explicit Scope(Reactor& reactor);
  // A task's failure is told to `on_failure` and touches nobody else; join() does not fail. What a server
  // wants of its connections. An empty function: nobody is told. It must not throw.
  Scope(Reactor& reactor, std::function<void(Error)> on_failure);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  // Cancels what still runs. Not from inside one of its tasks (checked).
  ~Scope();

  // Starts `task` with the next things that run, not inside this call. May be called from its own tasks.
  void spawn(Task<> task);
  // The same; the outcome goes to the handle. A handle that is dropped leaves the task to the scope.
  template <class T>
  JoinHandle<T> spawn_joinable(Task<T> task);
  template <Operation O>
  JoinHandle<typename O::Value> spawn_joinable(O operation) {
    return spawn_joinable(detail::as_task(std::move(operation)));
  }

  // Waits until no task is left. Fails with the first failure, after the others were cancelled.
  Task<> join();

  // Destroys all tasks, the youngest first; their frames are gone on return. Not from inside one of them
  // (checked). The scope can be used again.
  void cancel();

  bool empty() { return tasks_.empty(); }
  std::size_t size() const { return size_; }

 private:
  friend class detail::SpawnedBase;
  struct Member : ListNode {
    detail::SpawnedBase* task = nullptr;
  };

  void add(detail::SpawnedBase* spawned);
  void remove(detail::SpawnedBase& spawned);
  void task_failed(Error error);

  Reactor& reactor_;
  bool failures_are_separate_ = false;
  std::function<void(Error)> on_failure_;
  List<Member> tasks_;
  std::size_t size_ = 0;
  std::optional<Error> first_failure_;
  Event idle_;
};

namespace detail {

// One task of a scope: queued, then running, then deleted by itself when the task has finished.
class SpawnedBase : public Runnable {
 public:
  explicit SpawnedBase(Scope& scope) : scope_(scope) { member_.task = this; }
  virtual ~SpawnedBase();

  void run() final;

 protected:
  Scope& scope_;
  // Tells the scope. Only for an outcome that no handle takes.
  void report(Error error) { scope_.task_failed(std::move(error)); }

 private:
  friend class escapement::Scope;
  virtual void start(Reactor& reactor) = 0;
  virtual bool finished() const = 0;
  virtual void settle() = 0;

  Scope::Member member_;
  bool started_ = false;
};

template <class T>
struct Outcome {
  std::optional<Result<T>> result;
  Event settled;
  SpawnedBase* running = nullptr;
};

template <class T>
class Spawned final : public SpawnedBase {
 public:
  Spawned(Scope& scope, Task<T> task, std::shared_ptr<Outcome<T>> outcome)
      : SpawnedBase(scope), task_(std::move(task)), outcome_(std::move(outcome)) {
    if (outcome_) outcome_->running = this;
  }
  // Destroyed unfinished: cancelled. The frame goes before anybody hears of it.
  ~Spawned() override {
    task_.cancel();
    if (outcome_) deliver(Error(Errc::cancelled));
  }

 private:
  void start(Reactor& reactor) override { task_.start(reactor, *this); }
  bool finished() const override { return task_.finished(); }
  void settle() override {
    Result<T> result = task_.take();
    const bool somebody_waits = outcome_ && outcome_.use_count() > 1;
    if (somebody_waits) {
      deliver(std::move(result));
    } else {
      outcome_.reset();
      if (!result) report(std::move(result).error());
    }
  }
  void deliver(Result<T> result) {
    outcome_->running = nullptr;
    outcome_->result.emplace(std::move(result));
    outcome_->settled.set();
    outcome_.reset();
  }

  Started<T> task_;
  std::shared_ptr<Outcome<T>> outcome_;
};

}  // namespace detail

// The outcome of one spawned task. Dropping it lets the task go on under its scope.
template <class T>
class [[nodiscard]] JoinHandle {
 public:
  explicit JoinHandle(std::shared_ptr<detail::Outcome<T>> outcome) : outcome_(std::move(outcome)) {}

  // Waits for the task; yields its value or fails with its failure, Errc::cancelled when it was cancelled.
  // Consumes the handle.
  Task<T> join() && { return wait(std::move(outcome_)); }

  // Destroys the task's frame at once. Not from inside the task (checked). Nothing if it has finished.
  void cancel() { delete outcome_->running; }
  bool finished() const { return outcome_->running == nullptr; }

 private:
  static Task<T> wait(std::shared_ptr<detail::Outcome<T>> outcome) {
    co_await outcome->settled.wait();
    Result<T> result = std::move(*outcome->result);
    co_return co_await std::move(result);
  }

  std::shared_ptr<detail::Outcome<T>> outcome_;
};

template <class T>
JoinHandle<T> Scope::spawn_joinable(Task<T> task) {
  auto outcome = std::make_shared<detail::Outcome<T>>();
  add(new detail::Spawned<T>(*this, std::move(task), outcome));
  return JoinHandle<T>(std::move(outcome));
}

}  // namespace escapement
