// JoinSet: runs tasks of one type and yields their outcomes in the order in which they finish.
//
//     JoinSet<Page> pages(co_await this_reactor);
//     for (Url& url : urls) pages.spawn(get(std::move(url)));
//     for (;;) {
//       std::optional<Result<Page>> page = co_await pages.next();
//       if (!page) break;                          // all have been seen
//       if (*page) store(**page); else log((*page).error());
//     }
//
// A Scope (scope.h) suits tasks that yield nothing, whose first failure ends them all. `for_each`
// (for_each.h) runs one function over many items, a few at a time.

#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <escapement/core/detail/fair_share.h>
#include <escapement/core/scope.h>

namespace escapement {

template <class T>
class JoinSet;

namespace detail {

// The outcome of one task of a set. While the task runs it is a place in the set's list of those, and belongs
// to the task.
template <class T>
struct JoinSetOutcome : ListNode {
  ~JoinSetOutcome() {
    if (held) held->lose(result->error());
  }

  std::optional<Result<T>> result;
  std::optional<HeldFailure> held;  // set while a failure waits to be taken
};

// One running task of a set.
template <class T>
class JoinSetTask final : public SpawnedBase {
 public:
  JoinSetTask(JoinSet<T>& set, Task<T> task);
  // Cancels an unfinished task. Its frame is destroyed before anybody is notified.
  ~JoinSetTask() override {
    leave_scope();
    task_.cancel();
    if (outcome_) deliver(Error::cancelled());
  }
  void spawn() { join_scope(); }
  void cancel_with(const Error& error) override {
    leave_scope();
    task_.cancel();
    deliver(copy_if_possible(error));
    delete this;
  }

 private:
  bool advance(Reactor& reactor, std::optional<Error>&) override {
    if (!task_.started()) task_.start(reactor, *this);
    return task_.finished();
  }
  std::optional<Error> settle(Reactor& reactor) override {
    Result<T> result = task_.take();
    const bool failed = !result;
    if (failed && outcome_->linked()) outcome_->held.emplace(reactor);
    if (deliver(std::move(result)) || !failed) return std::nullopt;
    return std::move(*outcome_->result).error();
  }
  // Returns false if the set is gone: a destructor in the task's frame may have destroyed it.
  bool deliver(Result<T> result);

  JoinSet<T>& set_;  // dangles once outcome_ is not linked
  ChildTask<T> task_;
  std::unique_ptr<JoinSetOutcome<T>> outcome_;
};

}  // namespace detail

// A set of running tasks. Destroying it cancels those that run, the youngest first, and reports the failures
// that nobody has taken (Reactor::on_unhandled_failure). A failure of one task does not affect the others.
template <class T = void>
class JoinSet {
  using Outcome = detail::JoinSetOutcome<T>;

 public:
  // The operation that `next` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Next
      : public ListNode,
        public detail::OperationBase<Next, std::optional<Result<T>>> {
   public:
    static constexpr const char* waits_for = "join set";
    explicit Next(JoinSet& set) : set_(set) {}
    Next(Next&& other) noexcept : set_(other.set_) {}
    // Gives back an outcome that was given to a task destroyed before it could run.
    ~Next() {
      if (outcome_ && this->linked()) set_.give_back(std::move(outcome_));
    }
    bool await_ready() noexcept {
      if (set_.finished_.empty()) return set_.scope_.empty();
      if (!set_.share_.take()) return false;  // others have to run in between
      take();
      return true;
    }
    void suspend(detail::PromiseBase& task) {
      task_ = &task;
      if (set_.finished_.empty()) {
        set_.share_.waits();
        set_.waiting_.push_back(*this);
      } else {
        take();
        set_.granted_.push_back(*this);
        task.reactor().ready_later(task);
      }
    }
    std::optional<Result<T>> await_resume() {
      if (!outcome_ && this->linked()) take();  // one was given back
      if (!outcome_) return std::nullopt;
      outcome_->held.reset();
      const std::unique_ptr<Outcome> outcome = std::move(outcome_);
      return std::move(outcome->result);
    }

   private:
    friend class JoinSet;
    void take() { outcome_.reset(set_.finished_.pop_front()); }

    JoinSet& set_;
    detail::PromiseBase* task_ = nullptr;
    std::unique_ptr<Outcome> outcome_;
  };

  // Makes an empty set, whose tasks `reactor` runs. It must be gone before the reactor is (checked).
  [[nodiscard("a join set that has no name cancels its tasks at once: name it")]]
  explicit JoinSet(Reactor& reactor)
      : scope_(reactor, nullptr) {}
  JoinSet(const JoinSet&) = delete;
  JoinSet& operator=(const JoinSet&) = delete;
  // Must not run inside one of the set's tasks (checked), but may run when a task that owned the set ends.
  // Tasks that wait in next() stay suspended, for owners that are about to destroy them too.
  ~JoinSet() {
    waiting_.clear();
    granted_.clear();
    scope_.cancel();
    while (Outcome* outcome = finished_.pop_front()) delete outcome;
  }

  // Queues `task`, an operation or a function that returns a task, which is kept as long as its task; it
  // starts after this call, not inside it. May be called from the set's own tasks.
  void spawn(Task<T> task) {
    auto child = std::make_unique<detail::JoinSetTask<T>>(*this, std::move(task));
    child.release()->spawn();
  }
  template <Operation O>
  void spawn(O operation) {
    spawn(detail::as_task(std::move(operation)));
  }
  template <detail::TaskFunction F>
  void spawn(F function) {
    spawn(detail::call_and_keep(std::move(function)));
  }

  // Waits for the next task to finish, and yields its value or its failure, which counts as taken then.
  // Yields nothing when no task runs and all outcomes have been seen. Each task has one outcome, which one
  // caller receives, in the order in which the tasks finished: a task that is spawned again and again stands
  // behind those that finished before. Several may wait, first come, first served. An operation (task.h) that
  // cannot fail; every 128th outcome in a row lets others run first.
  // Cancelling it loses no outcome. The set must outlive the wait. Must not be awaited by the last of the
  // set's own tasks: it would wait for itself.
  Next next() { return Next(*this); }
  // The same without waiting: yields nothing if no task has finished that was not seen.
  std::optional<Result<T>> try_next() {
    if (finished_.empty()) return std::nullopt;
    Next next(*this);
    next.take();
    return next.await_resume();
  }

  // Destroys all running tasks, the youngest first. Their outcome is Errc::cancelled, without or with a
  // reason (Error::reason). Must not be called from inside one of them (checked). The set can be used again.
  void cancel() { scope_.cancel(); }
  void cancel(Error reason) { scope_.cancel(std::move(reason)); }

  // Returns the number of tasks that have not finished.
  std::size_t running() const { return scope_.size(); }
  // Returns whether next() would yield nothing.
  bool empty() { return scope_.empty() && finished_.empty(); }

 private:
  friend class detail::JoinSetTask<T>;

  // Gives the outcome to the first that waits.
  void finish(std::unique_ptr<Outcome> outcome) {
    if (waiting_.empty()) {
      finished_.push_back(*outcome.release());
    } else {
      grant(std::move(outcome));
    }
    if (scope_.empty()) wake_waiting();
  }
  void give_back(std::unique_ptr<Outcome> outcome) {
    if (waiting_.empty()) {
      finished_.push_front(*outcome.release());
    } else {
      grant(std::move(outcome));
    }
  }
  void grant(std::unique_ptr<Outcome> outcome) {
    Next* first = waiting_.pop_front();
    first->outcome_ = std::move(outcome);
    wake(*first);
  }
  // There is nothing left to wait for.
  void wake_waiting() {
    while (!waiting_.empty()) wake(*waiting_.pop_front());
  }
  void wake(Next& next) {
    granted_.push_back(next);
    Reactor& reactor = next.task_->reactor();
    reactor.check_thread();
    reactor.ready(*next.task_);
  }

  Scope scope_;
  List<Outcome> running_;
  List<Outcome> finished_;
  List<Next> waiting_;
  List<Next> granted_;  // made ready, and not resumed yet
  detail::FairShare share_;
};

namespace detail {

template <class T>
JoinSetTask<T>::JoinSetTask(JoinSet<T>& set, Task<T> task)
    : SpawnedBase(set.scope_),
      set_(set),
      task_(std::move(task)),
      outcome_(std::make_unique<JoinSetOutcome<T>>()) {
  set.running_.push_back(*outcome_);
}

template <class T>
bool JoinSetTask<T>::deliver(Result<T> result) {
  outcome_->result.emplace(std::move(result));
  if (!outcome_->linked()) return false;
  outcome_->unlink();
  set_.finish(std::move(outcome_));
  return true;
}

}  // namespace detail

}  // namespace escapement
