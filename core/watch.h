// Watch<T>: the latest value of something, and a way to wait for a newer one.
//
//     Watch<Config> config(load());
//
//     Task<> watcher(Watch<Config>& config) {
//       for (std::uint64_t seen = 0;;) {
//         seen = co_await config.changed(seen);  // at first at once: the value it was made with is version 1
//         apply(config.value());
//       }
//     }
//     config.set(load());  // wakes all watchers
//
// Each watcher sees the latest value, and not each value: those that came and went in between are skipped.
// For every message use Broadcast (broadcast.h).

#pragma once

#include <concepts>
#include <cstdint>
#include <utility>

#include <escapement/core/event.h>
#include <escapement/core/task.h>

namespace escapement {

// Must outlive the operations on it. Destroying it leaves tasks that wait suspended for ever. A Watch has no
// end: cancel the watchers, or make the end a value.
template <class T>
class Watch {
 public:
  // The operation that `changed` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Changed
      : public detail::OperationBase<Changed, std::uint64_t> {
   public:
    static constexpr const char* waits_for = "watch";
    Changed(Watch& watch, std::uint64_t seen) : watch_(watch), seen_(seen), wait_(watch.event_.wait()) {}
    Changed(Changed&&) noexcept = default;
    bool await_ready() const noexcept { return watch_.version_ != seen_; }
    void suspend(detail::PromiseBase& task) { wait_.suspend(task); }
    std::uint64_t await_resume() const noexcept { return watch_.version_; }

   private:
    Watch& watch_;
    std::uint64_t seen_;
    Event::Wait wait_;
  };

  // Makes a watch whose first value has version 1.
  explicit Watch(T value) : value_(std::move(value)) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Returns the latest value. The reference stays valid; the value behind it changes with the next `set`, so
  // copy what is needed across a co_await.
  const T& value() const { return value_; }
  // Returns the number of the latest value, from 1; it grows with every change.
  std::uint64_t version() const { return version_; }

  // Replaces the value and makes all waiting watchers ready, in the order in which they began to wait. A
  // value equal to the last one is a change too.
  void set(T value) {
    value_ = std::move(value);
    notify();
  }
  // Replaces the value if it differs. Returns whether it did.
  bool set_if_different(T value)
    requires std::equality_comparable<T>
  {
    if (value_ == value) return false;
    set(std::move(value));
    return true;
  }
  // Calls `change(T&)`, which changes the value in place, and then makes the watchers ready. If it throws
  // they are not.
  template <std::invocable<T&> F>
  void update(F&& change) {
    std::forward<F>(change)(value_);
    notify();
  }

  // Waits for a version other than `seen`; 0 is no version, so that it yields at once. Yields the number of
  // the version that is the latest then. An operation (task.h) that cannot fail. A cancelled wait misses
  // nothing: the next one with the same `seen` yields at once.
  Changed changed(std::uint64_t seen) { return Changed(*this, seen); }
  // Waits until `predicate(value)` is true for the latest value, at once if it is. Yields its version. A
  // value for which it is true and that is replaced before the watcher has run is missed.
  template <std::predicate<const T&> P>
  Task<std::uint64_t> until(P predicate) {
    while (!predicate(std::as_const(value_))) {
      const std::uint64_t seen = version_;
      co_await changed(seen);
    }
    co_return version_;
  }

 private:
  void notify() {
    ++version_;
    event_.pulse();
  }

  T value_;
  std::uint64_t version_ = 1;
  Event event_;
};

}  // namespace escapement
