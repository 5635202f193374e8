// Scope: owns running tasks. No task outlives its scope; destroying the scope cancels them.
//
// A scope is the only way to run something beside the task that one awaits, and the handle for stopping it: a
// server owns a Scope of connections, the Worker glue one per request.

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
// The place of a task in its scope's list.
class ScopeMember : public ListNode {};
class SpawnedBase;
template <class T>
class Spawned;
template <class F>
class SpawnedFunction;
template <class T>
struct Outcome;
}  // namespace detail

class Scope {
 public:
  // Makes a scope in which the failure of one task cancels the others and is the failure of join(). A failure
  // that no join() has taken by the end of the scope is reported (Reactor::on_unhandled_failure).
  [[nodiscard("a scope that has no name cancels its tasks at once: name it")]]
  explicit Scope(Reactor& reactor);
  // Makes a scope in which the failure of a task is passed to `on_failure` and affects no other task; join()
  // does not fail. Suited to the connections of a server. If the function is empty, failures are reported as
  // unhandled, and so is an exception that it throws. It may spawn, cancel and destroy, even this scope.
  [[nodiscard("a scope that has no name cancels its tasks at once: name it")]]
  Scope(Reactor& reactor, std::function<void(Error)> on_failure);
  // The same as with an empty function.
  [[nodiscard("a scope that has no name cancels its tasks at once: name it")]]
  Scope(Reactor& reactor, std::nullptr_t);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  // Cancels all running tasks. Must not run inside one of them (checked). May run when a task that owned the
  // scope ends, or in a destructor of one that is being cancelled.
  ~Scope();

  // Queues `task`; it starts after this call, not inside it. May be called from the scope's own tasks.
  void spawn(Task<> task);
  // Overload for a function that returns a task. The function, a lambda with its captures, is kept as long as
  // the task: `scope.spawn([name]() -> Task<> { ... });`
  template <detail::TaskFunction F>
  void spawn(F function) {
    static_assert(std::is_same_v<std::invoke_result_t<F&>, Task<>>,
                  "spawn a Task<>; spawn_joinable keeps a value");
    add(new detail::SpawnedFunction<F>(*this, std::move(function)));
  }
  // Spawns a task and returns the handle that receives its outcome. Dropping the handle leaves the task to
  // the scope.
  template <class T>
  JoinHandle<T> spawn_joinable(Task<T> task);
  template <Operation O>
  JoinHandle<typename O::Value> spawn_joinable(O operation) {
    return spawn_joinable(detail::as_task(std::move(operation)));
  }
  template <detail::TaskFunction F>
  auto spawn_joinable(F function) {
    return spawn_joinable(detail::call_and_keep(std::move(function)));
  }

  // Waits until no task is left. Fails with the first failure, after the others were cancelled.
  Task<> join();

  // Destroys all tasks, the youngest first; their frames are gone on return. Needs no memory. Must not be
  // called from inside one of them (checked), but may be from the destructors of what is being cancelled. The
  // scope can be used again.
  void cancel();
  // The same, with a reason, which may be of any kind. The handles of the cancelled tasks, and join() if it
  // has no failure yet, then fail with Errc::cancelled and Error::reason() returns the reason. So does the
  // join() of a scope with an `on_failure`. Does nothing if the scope is empty.
  void cancel(Error reason);

  // Returns whether no task is left.
  bool empty() { return tasks_.empty(); }
  // Returns the number of tasks, queued ones included.
  std::size_t size() const { return size_; }

 private:
  friend class detail::SpawnedBase;
  struct FirstFailure {
    FirstFailure(Reactor& reactor, Error e) : error(std::move(e)), held(reactor) {}
    Error error;
    detail::HeldFailure held;
  };

  void add(detail::SpawnedBase* spawned);
  void remove(detail::SpawnedBase& spawned);
  static void cancel_others(Scope& scope, Error error);
  static void report(Scope& scope, Error error);
  static void tell(Scope& scope, Error error);
  // Arranges for `alive` to be unlinked when the scope ends. (Out of line: g++ warns of the address of a
  // local variable.)
  ESC_NOINLINE void watch_end(ListNode& alive) { alive_.push_back(alive); }

  Reactor& reactor_;
  void (*task_failed_)(Scope&, Error);  // what is not used is not linked
  std::shared_ptr<const std::function<void(Error)>> on_failure_;
  List<detail::ScopeMember> tasks_;
  std::size_t size_ = 0;
  std::optional<FirstFailure> first_failure_;
  Event idle_;
  static void visit_tasks(const void* scope, detail::TaskVisitor& visitor);
  [[no_unique_address]] detail::TaskSource<detail::task_tree> source_{reactor_, "scope", this, visit_tasks};
  List<ListNode> alive_;  // unlinked when the scope ends, for callers that may destroy it
};

namespace detail {

// One task of a scope: queued, then running. Deletes itself when the task has finished.
class SpawnedBase : public Runnable, private ScopeMember {
 public:
  static void* operator new(std::size_t size) { return allocate_block(size); }
  static void operator delete(void* spawned, std::size_t size) noexcept { free_block(spawned, size); }

  explicit SpawnedBase(Scope& scope) : scope_(scope) {}
  virtual ~SpawnedBase() = default;

  void run() final;
  // Destroys this. A handle gets `error`, which is of kind Errc::cancelled.
  virtual void cancel_with(const Error& error);

 protected:
  // Leaves the scope. Called before the frame is destroyed, whose destructors may destroy the scope, or
  // cancel the task once more.
  void leave_scope() {
    if (ScopeMember::linked()) scope_.remove(*this);
  }
  // For what is spawned by itself: the scope owns it from now on.
  void join_scope() { scope_.add(this); }

 private:
  friend class escapement::Scope;
  // Starts the task if it has not been started. Returns whether it has finished, or sets `failure`, if there
  // is no task because the function that makes it has thrown.
  virtual bool advance(Reactor& reactor, std::optional<Error>& failure) = 0;
  // Destroys the frame of the finished task. Returns its failure if no handle takes it.
  virtual std::optional<Error> settle(Reactor& reactor) = 0;
  virtual void visit(TaskVisitor&) const {}
  const Runnable* awaited_by(std::shared_ptr<const LocalValues>& found) const final;

  Scope& scope_;
};

// A task without a handle.
class SpawnedTask : public SpawnedBase {
 public:
  SpawnedTask(Scope& scope, Task<>&& task) : SpawnedBase(scope), task_(std::move(task)) {}
  ~SpawnedTask() override { leave_scope(); }

 protected:
  explicit SpawnedTask(Scope& scope) : SpawnedBase(scope), task_(Task<>::none()) {}
  void destroy_task() { task_.reset(); }

 private:
  // Returns the task, if the constructor has not received it.
  ESC_CORO_WRAPPER virtual Task<> make() { return Task<>::none(); }
  std::optional<Error> call_make();
  bool advance(Reactor& reactor, std::optional<Error>& failure) final;
  std::optional<Error> settle(Reactor& reactor) final;
  void visit(TaskVisitor& visitor) const override {
    if (task_) visitor.visit(task_.promise());
  }

  Task<> task_;
};

// The same, with the function that returns it, whose captures the task may use. In one object: a coroutine
// around the two would be a frame more for each task.
template <class F>
class SpawnedFunction final : public SpawnedTask {
 public:
  SpawnedFunction(Scope& scope, F&& function) : SpawnedTask(scope), function_(std::move(function)) {}
  ~SpawnedFunction() override {
    leave_scope();
    destroy_task();
  }

 private:
  ESC_CORO_WRAPPER Task<> make() override { return function_(); }

  [[no_unique_address]] F function_;
};

// Returns a copy of an error of kind Errc::cancelled, without the reason if there is no memory for it.
Error copy_if_possible(const Error& cancelled) noexcept;

template <class T>
struct Outcome {
  Outcome() = default;
  Outcome(const Outcome&) = delete;
  ~Outcome() {
    if (held) held->lose(result->error());
  }

  std::optional<Result<T>> result;
  std::optional<HeldFailure> held;  // set while a failure waits to be taken
  Event settled;
  SpawnedBase* running = nullptr;
};

template <class T>
class Spawned final : public SpawnedBase {
 public:
  Spawned(Scope& scope, Task<T> task, std::shared_ptr<Outcome<T>> outcome)
      : SpawnedBase(scope), task_(std::move(task)), outcome_(std::move(outcome)) {
    outcome_->running = this;
  }
  // Cancels an unfinished task. Its frame is destroyed before anybody is notified.
  ~Spawned() override {
    leave_scope();
    leave_handle();
    task_.cancel();
    if (outcome_) deliver(Error::cancelled());
  }
  void cancel_with(const Error& error) override {
    const std::shared_ptr<Outcome<T>> outcome = outcome_;
    delete this;
    outcome->result.emplace(copy_if_possible(error));
  }

 private:
  bool advance(Reactor& reactor, std::optional<Error>&) override {
    if (!task_.started()) task_.start(reactor, *this);
    return task_.finished();
  }
  std::optional<Error> settle(Reactor& reactor) override {
    leave_handle();
    Result<T> result = task_.take();
    if (outcome_ && outcome_.use_count() > 1) {
      if (!result) outcome_->held.emplace(reactor);
      deliver(std::move(result));
      return std::nullopt;
    }
    outcome_.reset();
    if (result) return std::nullopt;
    return std::move(result).error();
  }
  void visit(TaskVisitor& visitor) const override { task_.visit(visitor); }
  void leave_handle() {
    if (outcome_) outcome_->running = nullptr;
  }
  void deliver(Result<T> result) {
    outcome_->result.emplace(std::move(result));
    outcome_->settled.set();
    outcome_.reset();
  }

  ChildTask<T> task_;
  std::shared_ptr<Outcome<T>> outcome_;
};

}  // namespace detail

// The outcome of one spawned task. Dropping the handle leaves the task running in its scope; a failure that
// the handle holds by then is reported (Reactor::on_unhandled_failure).
template <class T>
class [[nodiscard("join() it; for a task whose outcome nobody wants, call spawn()")]] JoinHandle {
 public:
  // Made by Scope::spawn_joinable.
  explicit JoinHandle(std::shared_ptr<detail::Outcome<T>> outcome) : outcome_(std::move(outcome)) {}

  // Waits for the task. Yields its value or fails with its failure, with Errc::cancelled if it was cancelled
  // (Error::reason() returns the reason, if one was given). Consumes the handle.
  ESC_CORO_WRAPPER Task<T> join() && {
    ESC_CHECK(outcome_ != nullptr, "a JoinHandle that was joined already, or moved from");
    return wait(std::move(outcome_));
  }

  // Destroys the task's frame at once; does nothing if it has finished. Needs no memory. Must not be called
  // from inside the task (checked).
  void cancel() {
    ESC_CHECK(outcome_ != nullptr, "a JoinHandle that was joined already, or moved from");
    delete std::exchange(outcome_->running, nullptr);
  }
  // The same, with a reason: join() then fails with Errc::cancelled and Error::reason() returns the reason.
  void cancel(Error reason) {
    ESC_CHECK(outcome_ != nullptr, "a JoinHandle that was joined already, or moved from");
    detail::SpawnedBase* running = std::exchange(outcome_->running, nullptr);
    if (running != nullptr) running->cancel_with(Error::cancelled(std::move(reason)));
  }
  bool finished() const {
    ESC_CHECK(outcome_ != nullptr, "a JoinHandle that was joined already, or moved from");
    return outcome_->running == nullptr;
  }

 private:
  static Task<T> wait(std::shared_ptr<detail::Outcome<T>> outcome) {
    co_await outcome->settled.wait();
    Result<T> result = std::move(*outcome->result);
    outcome->held.reset();
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
