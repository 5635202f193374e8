// CancelSource and CancelToken: let a caller ask for an end, across code that does not own the tasks.
//
//     CancelSource stop;
//     scope.spawn(download(url, stop.token()));
//     ...
//     stop.cancel(Error(Errc::limit_exceeded, "the quota is used up"));
//
//     Task<> download(Url url, CancelToken token) {
//       Page page = co_await with_cancel(token, get(url));  // fails with Errc::cancelled: see Error::reason
//       while (!token.cancelled()) co_await next_part();    // or stop where it suits
//     }
//
// Where the caller owns the task, destroying it is simpler, and is all that is needed: a Scope, with_timeout,
// race. A token is for work that must learn of the wish, for one wish that reaches many tasks, and for hosts
// that have such a thing themselves: wasm_glue/abort_signal.h makes a token of a JavaScript AbortSignal.
//
// Sources, tokens and what waits for them belong to one reactor's thread. Another thread posts a function
// that cancels (Reactor::post, Remote).

#pragma once

#include <memory>
#include <utility>

#include <escapement/core/task.h>

namespace escapement {

namespace detail {

// A task that waits for a token.
struct CancelWaiter : ListNode {
  PromiseBase* task = nullptr;
};

// The state that a source shares with its tokens: a node in the list of the one that it is linked to.
class CancelState : public ListNode {
 public:
  explicit CancelState(std::shared_ptr<CancelState> parent);
  CancelState(const CancelState&) = delete;

  bool cancelled() const { return cancelled_; }
  Error reason() const { return reason_ ? *reason_ : Error::cancelled(); }
  // Keeps the first reason, which may be null, for this and all that is linked to it. Wakes what waits.
  void cancel(std::shared_ptr<const Error> reason);
  void wait(CancelWaiter& waiter, PromiseBase& task) {
    waiter.task = &task;
    waiting_.push_back(waiter);
  }

 private:
  void wake_waiting();

  bool cancelled_ = false;
  std::shared_ptr<const Error> reason_;
  List<CancelWaiter> waiting_;
  List<CancelState> linked_;
  std::shared_ptr<CancelState> parent_;  // stays linked to its own, even if its source is gone
};

}  // namespace detail

// Learns whether its source was cancelled. Cheap to copy. One that was made by default, of no source, is
// never cancelled.
class CancelToken {
 public:
  // The operation that `wait` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Wait
      : public detail::OperationBase<Wait> {
   public:
    static constexpr const char* waits_for = "cancellation";
    explicit Wait(std::shared_ptr<detail::CancelState> state) : state_(std::move(state)) {}
    Wait(Wait&& other) noexcept : state_(std::move(other.state_)) {}
    bool await_ready() const noexcept { return state_ && state_->cancelled(); }
    void suspend(detail::PromiseBase& task) {
      if (state_) state_->wait(waiter_, task);
    }
    void await_resume() const noexcept {}

   private:
    std::shared_ptr<detail::CancelState> state_;
    detail::CancelWaiter waiter_;
  };

  CancelToken() = default;

  // Returns whether its source, or one that this is linked to, was cancelled.
  bool cancelled() const { return state_ && state_->cancelled(); }
  // Returns the reason that was given to the source, of any kind; Errc::cancelled without a message if none
  // was. The token must have been cancelled (checked).
  Error reason() const {
    ESC_CHECK(cancelled(), "the reason of a CancelToken that is not cancelled");
    return state_->reason();
  }
  // Waits until the token is cancelled; returns at once if it is. An operation (task.h) that cannot fail.
  // Source and token may be gone meanwhile: without a source it waits for ever.
  Wait wait() const { return Wait(state_); }

 private:
  friend class CancelSource;
  explicit CancelToken(std::shared_ptr<detail::CancelState> state) : state_(std::move(state)) {}

  std::shared_ptr<detail::CancelState> state_;
};

// Cancels its tokens. Destroying it cancels nothing: its tokens are then never cancelled, unless it is linked
// to another source that is.
class CancelSource {
 public:
  CancelSource();
  // Makes a source that is also cancelled, with the same reason, when `parent` is: at once if that is
  // cancelled already. Cancelling it does not cancel the parent. Destroying a chain of linked sources
  // recurses once per link; cancelling it does not.
  explicit CancelSource(const CancelToken& parent);
  CancelSource(CancelSource&&) noexcept = default;
  CancelSource& operator=(CancelSource&&) noexcept = default;

  // Returns a token of this source. It may outlive the source.
  CancelToken token() const { return CancelToken(state()); }
  // Returns whether this source, or one that it is linked to, was cancelled.
  bool cancelled() const { return state()->cancelled(); }

  // Cancels the tokens of this source and of all that are linked to it, and makes ready what waits for them,
  // in the order in which it began to wait. Needs no memory. Nothing runs inside the call, which may be made
  // from anywhere, a task that is cancelled by it included. The first call counts.
  void cancel();
  // The same with a reason, which may be of any kind: with_cancel reports it (Error::reason).
  void cancel(Error reason);

 private:
  const std::shared_ptr<detail::CancelState>& state() const {
    ESC_CHECK(state_, "a CancelSource that was moved from");
    return state_;
  }

  std::shared_ptr<detail::CancelState> state_;
};

// Runs `task`, an operation or a function that returns a task. Yields its value or fails with its failure, or
// with Errc::cancelled once the token is cancelled, with the token's reason (Error::reason). By then the task
// has been cancelled and its frame is gone.
//
// A task that finishes in the turn in which the token is cancelled wins. If the token is cancelled before the
// returned task starts, the task is destroyed without being started.
template <class T>
Task<T> with_cancel(CancelToken token, Task<T> task) {
  detail::ChildTask<T> operation(std::move(task));
  if (token.cancelled()) {
    operation.cancel();
    co_await Error::cancelled(token.reason());
  }
  detail::PromiseBase& self = co_await detail::this_task;
  operation.start(self.reactor(), self);
  CancelToken::Wait cancelling = token.wait();
  if (!operation.finished() && !token.cancelled()) {
    cancelling.suspend(self);
    while (!operation.finished() && !token.cancelled()) co_await detail::suspend_until_ready;
  }
  if (!operation.finished()) {
    operation.cancel();
    co_await Error::cancelled(token.reason());
  }
  Result<T> outcome = operation.take();
  co_return co_await std::move(outcome);
}

template <Operation O>
ESC_CORO_WRAPPER Task<typename O::Value> with_cancel(CancelToken token, O operation) {
  return with_cancel(std::move(token), detail::as_task(std::move(operation)));
}

template <detail::TaskFunction F>
ESC_CORO_WRAPPER auto with_cancel(CancelToken token, F function) {
  return with_cancel(std::move(token), detail::call_and_keep(std::move(function)));
}

}  // namespace escapement
