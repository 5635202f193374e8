// Guarded<T>: a value that is reached through its mutex only.
//
//     Guarded<Session> session("name");
//     ...
//     Guarded<Session>::Guard held = co_await session.lock();
//     co_await held->refresh();  // no other task sees the session meanwhile

#pragma once

#include <concepts>
#include <optional>
#include <utility>

#include <escapement/core/mutex.h>

namespace escapement {

// Must outlive its guards and the operations on it (mutex.h).
template <class T>
class Guarded {
 public:
  // Holds the lock and gives access to the value. Move-only. One that was moved from must not be used.
  class [[nodiscard("a guard that has no name unlocks at once: name it")]] Guard {
   public:
    T& operator*() const { return *value_; }
    T* operator->() const { return value_; }

   private:
    friend class Guarded;
    Guard(Mutex::Guard lock, T& value) : lock_(std::move(lock)), value_(&value) {}

    Mutex::Guard lock_;
    T* value_;
  };

  // The operation that `lock` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Lock
      : public detail::OperationBase<Lock, Guard> {
   public:
    static constexpr const char* waits_for = "mutex";
    explicit Lock(Guarded& from) : from_(from), lock_(from.mutex_) {}
    Lock(Lock&& other) noexcept = default;
    bool await_ready() noexcept { return lock_.await_ready(); }
    void suspend(detail::PromiseBase& task) { lock_.suspend(task); }
    Guard await_resume() noexcept { return Guard(lock_.await_resume(), from_.value_); }

   private:
    Guarded& from_;
    Mutex::Lock lock_;
  };

  // Makes the value from `arguments`.
  template <class... A>
    requires std::constructible_from<T, A...>
  explicit Guarded(A&&... arguments) : value_(std::forward<A>(arguments)...) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  // Waits for the lock, first come, first served. An operation (task.h) that cannot fail.
  Lock lock() { return Lock(*this); }
  // Returns a guard if no other task holds one, without waiting.
  std::optional<Guard> try_lock() {
    std::optional<Mutex::Guard> lock = mutex_.try_lock();
    if (!lock) return std::nullopt;
    return Guard(*std::move(lock), value_);
  }
  bool locked() const { return mutex_.locked(); }

 private:
  Mutex mutex_;
  T value_;
};

}  // namespace escapement
