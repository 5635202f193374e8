// Delay: a sleep whose deadline can be moved, and that can be awaited again and again.
//
//     Delay idle;  // the idle limit of a connection
//     Task<> close_when_idle(Delay& idle, Stream& stream) {
//       co_await idle.wait();
//       co_await stream.shutdown_write();
//     }
//     idle.reset(reactor.precise_now() + 30s);  // after each message
//
// Moving a deadline later is one store (timers/entry.h), so it may be done for every message.

#pragma once

#include <escapement/core/task.h>
#include <escapement/timers/entry.h>

namespace escapement {

// Belongs to the reactor whose task first waits for it, and to its thread. One task may wait at a time
// (checked). Must outlive the operations on it, and must be destroyed before its reactor.
class Delay {
 public:
  // The operation that `wait` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Wait
      : public detail::OperationBase<Wait> {
   public:
    explicit Wait(Delay& delay) : delay_(delay) {}
    Wait(Wait&& other) noexcept : delay_(other.delay_) {}
    ~Wait() {
      if (waits_) delay_.stop();
    }
    void suspend(detail::PromiseBase& task) {
      ESC_CHECK(delay_.task_ == nullptr, "two tasks wait for one Delay");
      waits_ = true;
      delay_.start(task);
    }
    void await_resume() noexcept {
      waits_ = false;
      delay_.stop();
    }

   private:
    Delay& delay_;
    bool waits_ = false;
  };

  // Makes a delay that does not end before it is reset.
  Delay() = default;
  explicit Delay(Instant deadline) : deadline_(deadline) {}
  Delay(const Delay&) = delete;
  Delay& operator=(const Delay&) = delete;

  // Moves the deadline, earlier or later, also while a task waits: it then resumes at the new one. One that
  // has passed ends the wait in the next turn; Instant::never() suspends it until the next reset. A task that
  // has been woken and has not run yet goes on waiting if the new deadline has not passed. Without memory
  // (std::bad_alloc, rarely; see TimerEntry::arm) the task waits until the next reset.
  void reset(Instant deadline) {
    deadline_ = deadline;
    if (task_ == nullptr) return;
    task_->reactor().check_thread();
    task_->unlink();
    arm();
  }
  Instant deadline() const { return deadline_; }

  // Waits until the deadline has passed: never early, with no bound on how late (sleep.h). A deadline that
  // has passed already lets others run first, like yield(). An operation (task.h) that cannot fail. The
  // deadline stays: after it, `wait` goes on ending at once until the next `reset`.
  Wait wait() { return Wait(*this); }

 private:
  void start(detail::PromiseBase& task) {
    task_ = &task;
    arm();
  }
  void stop() {
    task_ = nullptr;
    timer_.disarm();
  }
  void arm() {
    Reactor& reactor = task_->reactor();
    timer_.disarm();
    if (deadline_ <= reactor.now()) return reactor.ready_later(*task_);
    if (deadline_ != Instant::never()) timer_.arm(reactor.timers(), deadline_, *task_);
  }

  Instant deadline_ = Instant::never();
  detail::PromiseBase* task_ = nullptr;  // waits
  TimerEntry timer_;
};

}  // namespace escapement
