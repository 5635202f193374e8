// Mutex: one task at a time, across suspensions.
//
//     Task<> append(Mutex& mutex, Stream& file, std::string record) {
//       Mutex::Guard guard = co_await mutex.lock();
//       co_await file.write(as_bytes(record));  // no other record gets in between
//     }
//
// The tasks of a reactor never run at the same time, so what does not await in the middle needs no mutex.
// Guarded<T> (guarded.h) holds a value together with its mutex; Condition (condition.h) waits for a change.

#pragma once

#include <optional>
#include <utility>

#include <escapement/core/detail/check.h>
#include <escapement/core/list.h>
#include <escapement/core/task.h>

namespace escapement {

// First come, first served: unlocking hands it to the task that has waited longest, and nobody overtakes.
// Locking it again in the task that holds it waits for ever.
//
// Must outlive its guards and the operations on it. Destroying it leaves tasks that wait suspended for ever;
// this is for owners that are about to destroy those tasks too.
class Mutex {
 public:
  // Holds the lock, and unlocks when it is destroyed. Move-only. One that was moved from, unlocked, or made
  // without a mutex holds nothing.
  class [[nodiscard("a guard that has no name unlocks at once: name it")]] Guard {
   public:
    Guard() = default;
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&& other) noexcept {
      std::swap(mutex_, other.mutex_);
      return *this;
    }
    ~Guard() { unlock(); }

    // Returns whether it holds a lock.
    bool owns_lock() const { return mutex_ != nullptr; }
    // Unlocks now. Does nothing if the guard holds nothing.
    void unlock() {
      if (mutex_ != nullptr) std::exchange(mutex_, nullptr)->unlock();
    }

   private:
    friend class Mutex;
    friend class Condition;
    explicit Guard(Mutex& held) : mutex_(&held) {}

    Mutex* mutex_ = nullptr;
  };

  // The place of a task in the queue, for operations that end in holding the lock.
  class Waiter : public ListNode {
   public:
    Waiter(const Waiter&) = delete;

   protected:
    explicit Waiter(Mutex* mutex) : mutex_(mutex) {}
    // Passes on a lock that was handed to a task destroyed before it could run.
    ~Waiter() {
      if (granted_) mutex_->unlock();
    }
    bool take_at_once() {
      granted_ = mutex_->take();
      return granted_;
    }
    void enqueue(detail::PromiseBase& task) {
      task_ = &task;
      mutex_->waiting_.push_back(*this);
    }
    // Takes the lock for the task, or enqueues it.
    void get_in_line() {
      if (mutex_->take()) {
        grant();
      } else {
        mutex_->waiting_.push_back(*this);
      }
    }
    Guard take_guard() {
      granted_ = false;
      return Guard(*mutex_);
    }

    Mutex* mutex_;
    detail::PromiseBase* task_ = nullptr;

   private:
    friend class Mutex;
    void grant() {
      task_->reactor().check_thread();
      granted_ = true;
      task_->reactor().ready(*task_);
    }

    bool granted_ = false;
  };

  // The operation that `lock` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Lock
      : public Waiter,
        public detail::OperationBase<Lock, Guard> {
   public:
    static constexpr const char* waits_for = "mutex";
    explicit Lock(Mutex& mutex) : Waiter(&mutex) {}
    Lock(Lock&& other) noexcept : Waiter(other.mutex_) {}
    bool await_ready() noexcept { return take_at_once(); }
    void suspend(detail::PromiseBase& task) { enqueue(task); }
    Guard await_resume() noexcept { return take_guard(); }
  };

  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // Waits for the lock: `Mutex::Guard guard = co_await mutex.lock();` An operation (task.h) that cannot fail.
  // Cancelling it gives up the place in the queue.
  Lock lock() { return Lock(*this); }
  // Returns a guard if the mutex is free, without waiting.
  std::optional<Guard> try_lock() {
    if (!take()) return std::nullopt;
    return Guard(*this);
  }
  bool locked() const { return locked_; }

 private:
  bool take() { return !std::exchange(locked_, true); }
  void unlock() {
    if (Waiter* first = waiting_.pop_front()) {
      first->grant();
    } else {
      locked_ = false;
    }
  }

  List<Waiter> waiting_;  // not empty: locked
  bool locked_ = false;
};

}  // namespace escapement
