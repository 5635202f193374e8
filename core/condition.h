// Condition: a condition variable. Lets tasks wait, without the lock, for what another does under it.
//
//     Mutex::Guard guard = co_await mutex.lock();
//     co_await changed.wait(guard, [&state] { return state.complete(); });
//     ... the guard holds the lock again, and the state is complete
//
// Where nothing awaits while it holds the lock, an Event (event.h) is enough.

#pragma once

#include <utility>

#include <escapement/core/mutex.h>

namespace escapement {

// Wakes first come, first served. A woken task gets in line for the lock, so there are no spurious wake-ups;
// but what it waits for may have ended again by the time it has the lock. `wait` with a predicate checks.
//
// Must outlive the operations on it. Destroying it leaves tasks that wait suspended for ever.
class Condition {
 public:
  // The operation that `wait` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Wait
      : public Mutex::Waiter,
        public detail::OperationBase<Wait> {
   public:
    static constexpr const char* waits_for = "condition";
    Wait(Condition& condition, Mutex::Guard& guard) : Waiter(nullptr), condition_(condition), guard_(guard) {}
    Wait(Wait&& other) noexcept : Waiter(nullptr), condition_(other.condition_), guard_(other.guard_) {}
    // Passes on a notification to a task destroyed before it could run.
    ~Wait() {
      if (notified_) condition_.notify_one();
    }
    void suspend(detail::PromiseBase& task) {
      ESC_CHECK(guard_.owns_lock(), "a Condition was waited for with a guard that holds no lock");
      mutex_ = guard_.mutex_;
      task_ = &task;
      condition_.waiting_.push_back(*this);
      guard_.unlock();
    }
    void await_resume() noexcept {
      notified_ = false;
      guard_ = take_guard();
    }

   private:
    friend class Condition;
    Condition& condition_;
    Mutex::Guard& guard_;
    bool notified_ = false;  // by notify_one
  };

  Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  // Unlocks `guard`, waits for a notification, then for the lock, and holds it in `guard` again. `guard` must
  // hold a lock (checked), and stay where it is meanwhile. An operation (task.h) that cannot fail.
  //
  // Cancelling the wait leaves `guard` without the lock: getting it back would have to wait. After a
  // `with_timeout` around it look at `guard.owns_lock()`, and lock again. The notification of `notify_one` is
  // not lost with a task that is cancelled before it runs: the next one gets it.
  Wait wait(Mutex::Guard& guard) { return Wait(*this, guard); }
  // Waits until `predicate()` is true, which is called with the lock held, at first at once. The predicate is
  // kept in the returned task; what it refers to must outlive that.
  template <class P>
  Task<> wait(Mutex::Guard& guard, P predicate) {
    while (!predicate()) co_await wait(guard);
  }

  // Wakes the task that has waited longest, if any. The lock need not be held.
  void notify_one() {
    if (Wait* first = waiting_.pop_front()) {
      first->notified_ = true;
      first->get_in_line();
    }
  }
  // Wakes all tasks that wait now, in the order in which they began to.
  void notify_all() {
    while (Wait* first = waiting_.pop_front()) first->get_in_line();
  }

 private:
  List<Wait> waiting_;
};

}  // namespace escapement
