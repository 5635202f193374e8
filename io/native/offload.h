// offload: runs a function that blocks on a thread of a pool, and continues on the loop with its result.
//
//     std::string digest = co_await offload(pool, slow_digest, text);  // slow_digest(text), on the pool
//     co_await offload(pool, commit, database);  // Result<> commit(...): its failure fails this task
//     int sum = co_await with_timeout(1s, offload(pool, add_up, std::move(numbers)));
//
//     int add_up(std::stop_token stop, const std::vector<int>& numbers) {
//       int total = 0;
//       for (int number : numbers) {
//         if (stop.stop_requested()) break;  // nobody waits for the sum any more
//         total += slow(number);
//       }
//       return total;
//     }
//
// - Pass values as arguments, as to std::jthread: they are copied or moved, and belong to the work. Do not
//   capture them in a lambda that stands in the co_await statement: g++ 12 destroys such captures twice. A
//   lambda that a statement of its own makes may capture.
// - Order: the pool's queue is first come, first served. If it is full the operation fails with
//   Errc::overloaded at once, and the function is destroyed without being called. To wait instead, limit the
//   work where it is made: a Semaphore (event.h) around the call, or a ConcurrencyLimit.
// - Cancelling is honest. Work that has not begun is taken back and destroyed before the cancellation is
//   reported. Work that runs cannot be stopped: the task goes on without it, the function is kept until it
//   returns, and its result, or failure, is dropped. A function that takes a std::stop_token is asked to
//   stop. So the work must own all that it uses: values, or a shared_ptr to what nobody changes; no
//   references.
// - The function and its arguments are destroyed on the pool's thread before the result is reported. A result
//   that is dropped is destroyed on either thread.
// - The loop may end before the work does; the result is dropped then. The pool must outlive the call of
//   `offload`, not the operation: what has not begun when the pool is destroyed fails with Errc::cancelled.
// - Native only, as the pool.

#pragma once

#include <atomic>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include <escapement/core/remote.h>
#include <escapement/core/task.h>
#include <escapement/io/native/thread_pool.h>

namespace escapement {

namespace detail {

template <class F, class... A>
concept Stoppable = std::invocable<F, std::stop_token, A...>;
template <class F, class... A>
concept Offloadable = Stoppable<F, A...> || std::invocable<F, A...>;

// A function and its arguments, to be called once.
template <class F, class... A>
class BoundCall {
 public:
  template <class G, class... B>
  explicit BoundCall(G&& function, B&&... arguments)
      : function_(std::forward<G>(function)), arguments_(std::forward<B>(arguments)...) {}

  static constexpr bool stoppable = Stoppable<F, A...>;
  auto operator()([[maybe_unused]] const std::stop_token& stop) {
    auto call = [&](A&... arguments) {
      if constexpr (stoppable) {
        return std::invoke(std::move(function_), stop, std::move(arguments)...);
      } else {
        return std::invoke(std::move(function_), std::move(arguments)...);
      }
    };
    return std::apply(call, arguments_);
  }

 private:
  F function_;
  std::tuple<A...> arguments_;
};

template <class T>
struct OffloadValue {
  using type = T;
};
template <class T>
struct OffloadValue<Result<T>> {
  using type = T;
};

// A function on its way through a pool and back. Two threads share it: the pool's until the result is posted,
// then the loop's.
template <class F>
class OffloadWork final : public PoolWork {
 public:
  using Returned = decltype(std::declval<F&>()(std::stop_token()));
  using Value = typename OffloadValue<Returned>::type;

  OffloadWork(F&& function, PromiseBase& task)
      : function_(std::move(function)), remote_(task.reactor().remote()), task_(&task) {
    if constexpr (F::stoppable) stop_.emplace();
  }

  // --- On the loop's thread

  // Sends the work to the pool; `self` owns this. Fails without having called the function.
  Result<> begin(PoolQueue& queue, const std::shared_ptr<OffloadWork>& self, bool propagate) {
    propagate_ = propagate;
    arrival_ = Remote::prepare([self] { self->arrive(); });
    Result<> pushed = queue.push(self);
    if (!pushed) discard();
    return pushed;
  }
  // Called in place of waiting on.
  void cancel(PoolQueue& queue) {
    task_ = nullptr;
    if (queue.remove(*this)) return discard();
    unwanted_ = true;
    ask_to_stop();
  }
  Result<Value> take() {
    Result<Value> taken = *std::move(outcome_);
    outcome_.reset();  // here, not on the pool's thread
    return taken;
  }

  // --- On any thread

  void run() noexcept override {
    auto call = [this] {
      if constexpr (std::is_void_v<Returned>) {
        (*function_)(token());
        outcome_.emplace();
      } else {
        outcome_.emplace((*function_)(token()));
      }
    };
    if (std::optional<Error> thrown = catching(call)) outcome_.emplace(*std::move(thrown));
    report();
  }
  void refuse() noexcept override {
    auto say = [this] {
      outcome_.emplace(Error(Errc::cancelled, "the thread pool ended before the work began"));
    };
    if (catching(say)) outcome_.emplace(Error::cancelled());
    report();
  }
  void ask_to_stop() noexcept override {
    if constexpr (F::stoppable) stop_->request_stop();
  }

 private:
  std::stop_token token() const { return stop_ ? stop_->get_token() : std::stop_token(); }

  // Sends the outcome to the loop. It is dropped if the loop is gone.
  void report() noexcept {
    function_.reset();
    if (unwanted_) return discard();
    (void)remote_.post(std::move(arrival_));
  }
  void discard() noexcept {
    function_.reset();
    arrival_ = Remote::Prepared();  // which owns this
  }
  void arrive() {
    if (task_ == nullptr) return;
    PromiseBase& task = *std::exchange(task_, nullptr);
    if (propagate_ && !*outcome_) return task.fail(std::move(*outcome_).error());
    task.reactor().ready(task);
  }

  std::optional<F> function_;
  std::optional<std::stop_source> stop_;
  std::optional<Result<Value>> outcome_;
  const Remote remote_;
  Remote::Prepared arrival_;
  std::atomic<bool> unwanted_{false};  // the operation is gone
  PromiseBase* task_;                  // touched on the loop's thread only
  bool propagate_ = false;
};

// An offload that may be awaited.
template <class F>
class OffloadOperation : public Awaiter<OffloadOperation<F>> {
 public:
  OffloadOperation(OffloadOperation&&) = default;

  bool await_ready() const noexcept { return false; }
  bool suspend(PromiseBase& task) {
    work_ = std::make_shared<OffloadWork<F>>(std::move(function_), task);
    Result<> begun = work_->begin(*queue_, work_, propagate_);
    if (!begun) {
      work_.reset();
      if (propagate_) {
        task.fail(std::move(begun).error());
        return true;
      }
      refused_ = std::move(begun).error();
      return false;
    }
    if (without_threads_) task.reactor().post([queue = queue_] { queue->run_one(); });
    return true;
  }

 protected:
  OffloadOperation(ThreadPool& pool, F&& function, bool propagate)
      : queue_(pool.queue()),
        function_(std::move(function)),
        propagate_(propagate),
        without_threads_(pool.threads() == 0) {}
  OffloadOperation(OffloadOperation&& other, bool propagate) : OffloadOperation(std::move(other)) {
    propagate_ = propagate;
  }
  ~OffloadOperation() {
    if (work_) work_->cancel(*queue_);
  }

  Result<typename OffloadWork<F>::Value> outcome() {
    if (refused_) return *std::move(refused_);
    const std::shared_ptr<OffloadWork<F>> ended = std::move(work_);
    return ended->take();
  }

 private:
  std::shared_ptr<PoolQueue> queue_;
  F function_;
  bool propagate_;  // a failure fails the awaiting task
  bool without_threads_;
  std::optional<Error> refused_;
  std::shared_ptr<OffloadWork<F>> work_;
};

// The awaiter that `Offload::result` returns: it yields a Result.
template <class F>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] OffloadResult final
    : public OffloadOperation<F> {
 public:
  explicit OffloadResult(OffloadOperation<F>&& offload) : OffloadOperation<F>(std::move(offload), false) {}
  auto await_resume() { return this->outcome(); }
};

}  // namespace detail

// The operation that `offload` returns, used like a Task (task.h). Movable until it is awaited.
template <class F>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Offload final
    : public detail::OffloadOperation<F> {
 public:
  using Value = typename detail::OffloadWork<F>::Value;

  Offload(ThreadPool& pool, F&& function) : detail::OffloadOperation<F>(pool, std::move(function), true) {}

  Value await_resume() { return *this->outcome(); }
  detail::OffloadResult<F> result() && { return detail::OffloadResult<F>(std::move(*this)); }
  ESC_CORO_CONVERSION operator Task<Value>() && { return run(std::move(*this)); }

 private:
  static Task<Value> run(Offload offload) { co_return co_await offload; }
};

// Calls `function(arguments...)`, or `function(std::stop_token, arguments...)` if that is possible, on a
// thread of `pool`. Function and arguments are copied or moved here, and moved into the call.
//
// Yields the value on the loop; a Result<T> yields its T, or fails the awaiting task. An exception becomes an
// Error of kind `exception` (std::bad_alloc: `overloaded`). Also fails with overloaded if the pool's queue is
// full, and with cancelled if the pool has ended. Nothing is called before the operation is awaited.
//
// The value is returned by value, also if the function returns a reference; it may not be a Task: the
// function must not be a coroutine.
template <class F, class... A>
  requires detail::Offloadable<std::decay_t<F>, std::decay_t<A>...>
auto offload(ThreadPool& pool, F&& function, A&&... arguments) {
  using Call = detail::BoundCall<std::decay_t<F>, std::decay_t<A>...>;
  using Returned = typename detail::OffloadWork<Call>::Returned;
  static_assert(!detail::is_task<Returned>,
                "offload takes a function that runs to its end on another thread, not a coroutine: await the "
                "coroutine on the loop, and offload the parts of it that block");
  return Offload<Call>(pool, Call(std::forward<F>(function), std::forward<A>(arguments)...));
}

}  // namespace escapement
