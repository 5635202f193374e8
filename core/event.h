// Event and Semaphore: let the tasks of one reactor wait for each other. Single-threaded, so without atomics.

#pragma once

#include <cstddef>

#include <escapement/core/list.h>
#include <escapement/core/task.h>

namespace escapement {

// A flag that tasks can wait for. Once set it stays set until `reset`.
//
// A waiting task that is destroyed leaves the queue. Destroying an event leaves its waiting tasks suspended
// for ever; this is for owners that are about to destroy those tasks too.
class Event {
 public:
  // The operation that `wait` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Wait
      : public ListNode,
        public detail::OperationBase<Wait> {
   public:
    static constexpr const char* waits_for = "event";
    explicit Wait(Event& event) : event_(event) {}
    Wait(Wait&& other) noexcept : event_(other.event_) {}
    bool await_ready() const noexcept { return event_.set_; }
    void suspend(detail::PromiseBase& task) {
      task_ = &task;
      event_.waiting_.push_back(*this);
    }
    void await_resume() const noexcept {}

   private:
    friend class Event;
    Event& event_;
    detail::PromiseBase* task_ = nullptr;
  };

  // Returns whether the event is set.
  bool is_set() const { return set_; }

  // Makes every waiting task ready, in the order in which they began to wait. Must be called on their
  // reactor's thread (checked while tasks wait); other threads post a function that calls it (Reactor::post,
  // Remote).
  void set() {
    set_ = true;
    wake_waiting();
  }
  // Makes the tasks ready that are waiting now, without setting the event.
  void pulse() { wake_waiting(); }
  void reset() { set_ = false; }

  // Waits until the event is set; `co_await event.wait();` returns at once if it is. An operation (task.h)
  // that cannot fail. The event must outlive the wait.
  Wait wait() { return Wait(*this); }

 private:
  void wake_waiting() {
    while (!waiting_.empty()) {
      Reactor& reactor = waiting_.front().task_->reactor();
      reactor.check_thread();
      reactor.ready(*waiting_.pop_front()->task_);
    }
  }

  List<Wait> waiting_;
  bool set_ = false;
};

// A counting semaphore: hands out its permits first come, first served.
class Semaphore {
 public:
  // One permit, returned when this is destroyed. The semaphore must outlive it.
  class [[nodiscard("a permit that has no name is given back at once: name it")]] Permit {
   public:
    explicit Permit(Semaphore& from) : from_(&from) {}
    Permit(Permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(from_, other.from_);
      return *this;
    }
    ~Permit() {
      if (from_ != nullptr) from_->release();
    }

   private:
    Semaphore* from_;
  };

  // The operation that `acquire` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Acquire
      : public ListNode,
        public detail::OperationBase<Acquire, Permit> {
   public:
    static constexpr const char* waits_for = "semaphore";
    explicit Acquire(Semaphore& semaphore) : semaphore_(semaphore) {}
    Acquire(Acquire&& other) noexcept : semaphore_(other.semaphore_) {}
    // Passes on a permit that was granted to a task destroyed before it could run.
    ~Acquire() {
      if (granted_) semaphore_.release();
    }
    bool await_ready() noexcept {
      granted_ = semaphore_.try_take();
      return granted_;
    }
    void suspend(detail::PromiseBase& task) {
      task_ = &task;
      semaphore_.waiting_.push_back(*this);
    }
    Permit await_resume() noexcept {
      granted_ = false;
      return Permit(semaphore_);
    }

   private:
    friend class Semaphore;
    Semaphore& semaphore_;
    detail::PromiseBase* task_ = nullptr;
    bool granted_ = false;
  };

  // Makes a semaphore with so many free permits.
  explicit Semaphore(std::size_t permits) : available_(permits) {}

  // Returns the number of free permits.
  std::size_t available() const { return available_; }

  // Waits for a permit: `Semaphore::Permit permit = co_await semaphore.acquire();` An operation (task.h) that
  // cannot fail. Destroying the waiting task gives up its place in the queue.
  Acquire acquire() { return Acquire(*this); }

 private:
  // Takes a permit, unless others are already waiting: nobody overtakes them.
  bool try_take() {
    if (available_ == 0 || !waiting_.empty()) return false;
    --available_;
    return true;
  }

  void release() {
    if (waiting_.empty()) {
      ++available_;
      return;
    }
    waiting_.front().task_->reactor().check_thread();
    Acquire* first = waiting_.pop_front();
    first->granted_ = true;
    first->task_->reactor().ready(*first->task_);
  }

  List<Acquire> waiting_;
  std::size_t available_;
};

}  // namespace escapement
