// FallibleOperation: the base of operations that wait in a queue and may fail, such as Channel::Send.

#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <escapement/core/task.h>

namespace escapement::detail {

// Yields a Result of a fallible operation, instead of failing the awaiting task.
template <class O>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] FallibleResult
    : public Awaiter<FallibleResult<O>> {
 public:
  static constexpr const char* waits_for = wait_name<O>.text;
  explicit FallibleResult(O&& operation) : operation_(std::move(operation)) { operation_.keep_failure(); }
  bool await_ready() { return operation_.await_ready(); }
  bool suspend(PromiseBase& task) { return operation_.suspend(task); }
  Result<typename O::Value> await_resume() {
    if (std::optional<Error> failure = operation_.take_failure()) return *std::move(failure);
    if constexpr (std::is_void_v<typename O::Value>) {
      operation_.await_resume();
      return {};
    } else {
      return operation_.await_resume();
    }
  }

 private:
  O operation_;
};

// Like OperationBase (task.h), for an operation that may fail. It allocates nothing: the object is the node
// in the queue of what it waits for, and then in the reactor's. A failure is delivered from the reactor's
// queue, in turn with everything else, and never from inside the call that causes it: the causing task may be
// a child of a combinator that is just starting both.
//
// `O` defines `bool await_ready()`; `bool wait(PromiseBase&)`, which puts the operation into a queue or
// returns `fail_at_once(...)`, and returns false if there is nothing to wait for; and `T await_resume()`. Its
// destructor gives back what it was granted. Movable until it is awaited.
template <class O, class T = void>
class FallibleOperation : public Runnable, public Awaiter<O> {
 public:
  using Value = T;

  bool suspend(PromiseBase& task) {
    task_ = &task;
    return static_cast<O*>(this)->wait(task);
  }
  FallibleResult<O> result() && { return FallibleResult<O>(std::move(static_cast<O&>(*this))); }
  ESC_CORO_CONVERSION operator Task<T>() && { return as_task(std::move(static_cast<O&>(*this))); }

  // For FallibleResult: a failure wakes the task instead of failing it.
  void keep_failure() { keeps_failure_ = true; }
  std::optional<Error> take_failure() { return std::exchange(failure_, std::nullopt); }

 protected:
  FallibleOperation() = default;
  FallibleOperation(FallibleOperation&& other) noexcept : keeps_failure_(other.keeps_failure_) {}
  ~FallibleOperation() = default;

  // Makes the task ready. The operation must not be in a queue.
  void wake() { reactor().ready(*task_); }
  // Does the same, to fail with the Error that `make()` returns. If there is no memory for that, fails for
  // this reason: a destructor may be waking others.
  template <class F>
  void wake_to_fail(F make) {
    auto call = [&] { failure_ = make(); };
    if (std::optional<Error> thrown = catching(call)) failure_ = std::move(thrown);
    if (keeps_failure_) return wake();
    reactor().ready(*this);
  }
  // Fails inside `wait`, which returns what this returns.
  bool fail_at_once(Error failure) {
    if (keeps_failure_) {
      failure_ = std::move(failure);
      return false;
    }
    task_->fail(std::move(failure));
    return true;
  }

 private:
  static Task<T> as_task(O operation) { co_return co_await operation; }
  Reactor& reactor() const {
    Reactor& reactor = task_->reactor();
    reactor.check_thread();
    return reactor;
  }
  void run() override { task_->fail(*std::exchange(failure_, std::nullopt)); }
  const void* code() const override { return task_->code(); }

  PromiseBase* task_ = nullptr;
  std::optional<Error> failure_;
  bool keeps_failure_ = false;
};

}  // namespace escapement::detail
