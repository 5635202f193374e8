// Task<T>: a lazy coroutine that belongs to its holder.
//
//     Task<int> answer() {
//       co_await sleep(10ms);
//       co_return 42;
//     }
//     Task<> caller() {
//       int n = co_await answer();                        // a failure of answer() fails caller() too
//       Result<int> r = co_await answer().result();       // a failure is inspected here instead
//     }
//
// - A task starts when it is awaited, spawned into a Scope or run by a reactor, not before. Starting it runs
//   it on its parent's stack up to its first suspension; from then on only the reactor's loop resumes it.
//   There is no symmetric transfer: it needs tail calls, which wasm and unoptimised builds lack, and a loop
//   over a million finished children would overflow the stack there.
// - Destroying a task cancels it: its frame's locals are destroyed innermost first, and their destructors
//   unregister it from whatever it waited for. A task must not be destroyed from inside itself (checked).
//   Destroying a chain of tasks recurses once per frame.
// - Failure needs no exception. `co_await Error(...)` (or `co_return` of one, where T is not void) fails the
//   task: it is never resumed again, and the failure propagates to the task that awaits it, and on to the
//   first `.result()`, `Reactor::run`, `Scope` or combinator. There the frames in between are destroyed, by
//   the same path as cancellation, before the result is seen. A C++ exception that leaves user code becomes
//   an Error of kind `exception` at that frame (std::bad_alloc: `overloaded`).
// - `co_await` a `Result<T>` yields its value or fails the task: `Url url = co_await Url::parse(text);`
//
// Write one co_await per statement, into a variable with a written type (or straight into co_return), and
// give temporaries in it a constructor: g++ 12 destroys aggregate temporaries of such statements twice. A
// coroutine keeps its parameters and nothing else: a lambda's captures die with the lambda, and the target of
// a string_view or reference parameter with its owner. So where a task is started, pass the lambda itself,
// not the task it returns: `scope.spawn([name]() -> Task<> { ... })`, `loop.run(lambda)`, and take parameters
// by value. With -DESC_CORO_CHECKS clang finds some such mistakes (check.h).

#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/frame_pool.h>
#include <escapement/core/error.h>
#include <escapement/core/reactor.h>

namespace escapement {

template <class T = void>
class Task;

namespace detail {

// Converts the exception that is being handled to an Error.
Error error_from_current_exception() noexcept;

// Calls `function()`; an exception that it throws becomes an Error. For code that calls the user's code and
// is not a coroutine.
std::optional<Error> catching(void (*function)(void*), void* argument);
template <class F>
std::optional<Error> catching(F& function) {
  return catching([](void* f) { (*static_cast<F*>(f))(); }, &function);
}

// Returns the function that resuming `frame` enters: with every compiler a frame begins with its address.
inline const void* code_of(std::coroutine_handle<> frame) {
  return *static_cast<const void* const*>(frame.address());
}

// The part of a coroutine frame that does not depend on the type of the task's value.
class PromiseBase : public Runnable {
 public:
  static void* operator new(std::size_t size) { return allocate_block(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_block(frame, size); }

  Reactor& reactor() const { return *reactor_; }
  bool started() const { return reactor_ != nullptr; }
  bool finished() const { return (next_ & finished_flag) != 0; }
  bool failed() const { return error_.state_ != nullptr; }
  // Checks that the task is not running. Called before its frame is destroyed, not at the end of that: the
  // contents of a running frame must not be touched.
  void check_destroyable() const {
    ESC_CHECK((next_ & running_flag) == 0,
              "a task was destroyed from inside itself: by cancelling, or ending, the scope it runs in?");
  }

  // Fails this suspended task, and every task that awaits it without `.result()`.
  void fail(Error error, BuiltWithTaskTree<task_tree> = {});

  // Called when `awaiter` has suspended this task at `place`.
  using Place = WaitRecord<task_tree>::Place;
  template <class A>
  void begin_wait(const A& awaiter, Place place) {
    waiting_.begin(awaiter, place, *reactor_);
  }

  // Sets what to wake when the task finishes later. With `propagate`, `continuation` is a PromiseBase, which
  // fails if this task does.
  void set_continuation(Runnable& continuation, bool propagate) {
    next_ = reinterpret_cast<std::uintptr_t>(&continuation) | (propagate ? propagate_flag : 0);
  }

  Error take_error() { return std::move(error_); }
  const Runnable* awaited_by(std::shared_ptr<const LocalValues>& found) const override;

  std::suspend_always initial_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error_ = error_from_current_exception(); }

 protected:
  PromiseBase() = default;
  ~PromiseBase() = default;

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
      frame.promise().finish();
    }
    void await_resume() noexcept {}
  };

  // Begins the first run. A task is started only once (checked).
  void begin(Reactor& reactor) {
    ESC_CHECK(reactor_ == nullptr, "a task was started twice");
    reactor_ = &reactor;
  }
  // Resumes the frame, which must not be destroyed inside this call (check_destroyable).
  void resume(std::coroutine_handle<> frame) {
    next_ |= running_flag;
    [[maybe_unused]] const WaitRecord<task_tree>::Running running(waiting_, *reactor_);
    frame.resume();
    next_ &= ~running_flag;
  }

  Error error_{Error::None{}};

 private:
  void finish() {
    next_ |= finished_flag;
    Runnable* next = continuation();
    if (next == nullptr) return;  // still inside start(), whose caller checks finished()
    if (propagates() && failed()) {
      static_cast<PromiseBase*>(next)->fail(take_error());
    } else {
      reactor_->resume_next(*next);
    }
  }
  Runnable* continuation() const { return reinterpret_cast<Runnable*>(next_ & ~all_flags); }
  bool propagates() const { return (next_ & propagate_flag) != 0; }

  // The flags in the low bits of `next_`: a program may have a million tasks.
  static constexpr std::uintptr_t propagate_flag = 1, finished_flag = 2, running_flag = 4, all_flags = 7;
  static_assert(alignof(Runnable) > all_flags);

  friend class TaskTreeWalk;

  [[no_unique_address]] WaitRecord<task_tree> waiting_;
  Reactor* reactor_ = nullptr;
  std::uintptr_t next_ = 0;  // the continuation's address, or 0, and the flags
};

template <class T>
class Promise final : public PromiseBase {
 public:
  Promise() {}  // the value is constructed later
  ~Promise() {
    if (has_value_) value_.~T();
  }

  Task<T> get_return_object() noexcept;
  // Begins the first run, for a caller that checks finished() afterwards. Returns finished().
  bool start(Reactor& reactor) {
    begin(reactor);
    resume(std::coroutine_handle<Promise>::from_promise(*this));
    return finished();
  }
  FinalAwaiter final_suspend() noexcept { return {}; }

  template <class U>
    requires std::convertible_to<U&&, T> && (!std::same_as<std::remove_cvref_t<U>, Error>) &&
             (!std::same_as<std::remove_cvref_t<U>, Result<T>>)
  void return_value(U&& value) {
    ::new (&value_) T(std::forward<U>(value));
    has_value_ = true;
  }
  void return_value(Error error) { error_ = std::move(error); }
  void return_value(Result<T> result) {
    if (result) {
      return_value(*std::move(result));
    } else {
      error_ = std::move(result).error();
    }
  }

  Result<T> take() {
    if (failed()) return take_error();
    ESC_CHECK(has_value_,
              "the task has no value: it ended without co_return, or its value was taken already");
    return std::move(value_);
  }
  T take_value() {
    ESC_CHECK(has_value_,
              "the task has no value: it ended without co_return, or its value was taken already");
    return std::move(value_);
  }
  T& value() {
    ESC_CHECK(has_value_,
              "the task has no value: it ended without co_return, or its value was taken already");
    return value_;
  }

 private:
  void run() override { resume(std::coroutine_handle<Promise>::from_promise(*this)); }
  const void* code() const override {
    return code_of(std::coroutine_handle<Promise>::from_promise(const_cast<Promise&>(*this)));
  }

  bool has_value_ = false;
  union {
    T value_;
  };
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  // Begins the first run, for a caller that checks finished() afterwards. Returns finished().
  bool start(Reactor& reactor) {
    begin(reactor);
    resume(std::coroutine_handle<Promise>::from_promise(*this));
    return finished();
  }
  FinalAwaiter final_suspend() noexcept { return {}; }
  void return_void() {}

  Result<void> take() {
    if (failed()) return take_error();
    return {};
  }
  void take_value() {}

 private:
  void run() override { resume(std::coroutine_handle<Promise>::from_promise(*this)); }
  const void* code() const override {
    return code_of(std::coroutine_handle<Promise>::from_promise(const_cast<Promise&>(*this)));
  }
};

// The base of everything that is awaited: `A` defines suspension as a function of one task, `bool
// suspend(PromiseBase&)`, which returns false if there is nothing to wait for after all. `A::waits_for`, a
// name such as "timer", and `awaited_task()` are for the task tree.
template <class A>
class Awaiter {
 public:
  // `place` is that of the co_await: the compiler makes the call there.
  template <class P>
  auto await_suspend(std::coroutine_handle<P> awaiting,
                     PromiseBase::Place place = PromiseBase::Place::current()) {
    A& awaiter = static_cast<A&>(*this);
    PromiseBase& task = awaiting.promise();
    if constexpr (std::is_void_v<decltype(awaiter.suspend(task))>) {
      awaiter.suspend(task);
      task.begin_wait(awaiter, place);
    } else {
      const bool suspended = awaiter.suspend(task);
      if (suspended) task.begin_wait(awaiter, place);
      return suspended;
    }
  }
};

// Awaits a task that it owns. With `Propagate`, a failure of the task fails the awaiting one.
template <class T, bool Propagate>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] TaskAwaiter
    : public Awaiter<TaskAwaiter<T, Propagate>> {
 public:
  explicit TaskAwaiter(Task<T>&& task) : task_(std::move(task)) {}

  bool await_ready() noexcept { return false; }

  // Destroys the task's frame before its result is seen.
  auto await_resume() {
    Task<T> finished = std::move(task_);
    if constexpr (Propagate) {
      return finished.promise().take_value();
    } else {
      return finished.promise().take();
    }
  }

  bool suspend(PromiseBase& parent) {
    Promise<T>& child = task_.promise();
    if (!child.start(parent.reactor())) {
      child.set_continuation(parent, Propagate);
      return true;
    }
    if (!Propagate || !child.failed()) return false;
    parent.fail(child.take_error());
    return true;
  }
  const PromiseBase* awaited_task() const { return task_ ? &task_.promise() : nullptr; }

 private:
  Task<T> task_;
};

// `co_await error`: fails the awaiting task.
class [[nodiscard]] FailAwaiter : public Awaiter<FailAwaiter> {
 public:
  explicit FailAwaiter(Error error) : error_(std::move(error)) {}
  bool await_ready() noexcept { return false; }
  void suspend(PromiseBase& task) { task.fail(std::move(error_)); }
  [[noreturn]] void await_resume() noexcept { __builtin_trap(); }

 private:
  Error error_;
};

// `co_await result`: yields its value, or fails the awaiting task.
template <class T>
class [[nodiscard]] ResultAwaiter : public Awaiter<ResultAwaiter<T>> {
 public:
  explicit ResultAwaiter(Result<T> result) : result_(std::move(result)) {}
  bool await_ready() noexcept { return static_cast<bool>(result_); }
  void suspend(PromiseBase& task) { task.fail(std::move(result_).error()); }
  T await_resume() { return *std::move(result_); }

 private:
  Result<T> result_;
};

}  // namespace detail

template <class T>
class [[nodiscard("a task does nothing until it runs: co_await it, or spawn it")]] ESC_CORO_TYPE Task {
 public:
  using promise_type = detail::Promise<T>;

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  // Cancels the task if it has not finished.
  ~Task() { reset(); }

  // Cancels the task now, and leaves this empty.
  void reset() {
    if (auto frame = std::exchange(frame_, nullptr)) {
      frame.promise().check_destroyable();
      frame.destroy();
    }
  }

  // Runs the task and yields its value. Its failure fails the awaiting task.
  auto operator co_await() && { return detail::TaskAwaiter<T, true>(std::move(*this)); }
  // Runs the task and yields its Result<T>.
  auto result() && { return detail::TaskAwaiter<T, false>(std::move(*this)); }
  // Explain the mistake.
  template <class Awaited = T>
  detail::TaskAwaiter<T, true> operator co_await() & {
    static_assert(detail::never<Awaited>, "awaiting consumes the task: co_await std::move(task)");
    return std::move(*this).operator co_await();
  }
  template <class Awaited = T>
  detail::TaskAwaiter<T, false> result() & {
    static_assert(detail::never<Awaited>, "this consumes the task: co_await std::move(task).result()");
    return std::move(*this).result();
  }

  // Returns the promise, for whatever starts tasks: scopes, combinators, reactors.
  promise_type& promise() const {
    ESC_CHECK(frame_, "an empty Task: it was moved from, or awaited already");
    return frame_.promise();
  }
  explicit operator bool() const { return static_cast<bool>(frame_); }
  // Returns an empty Task, which cannot be awaited: for a holder that receives its task later.
  ESC_CORO_WRAPPER static Task none() { return Task(std::coroutine_handle<promise_type>()); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

// An operation is awaited like a Task<O::Value>, and converts to one where a task is expected. Awaited
// directly it needs no coroutine frame of its own: sleep, yield, Event::wait, Semaphore::acquire,
// Stream::read and Stream::write. Everything that takes a task also takes an operation: `with_timeout(1s,
// event.wait())`, `race(work(), sleep(10ms))`, `scope.spawn(sleep(1s))`, `loop.run(sleep(1s))`.
template <class O>
concept Operation = requires { typename O::Value; } && std::convertible_to<O, Task<typename O::Value>>;

inline auto operator co_await(Error error) { return detail::FailAwaiter(std::move(error)); }

template <class T>
auto operator co_await(Result<T>&& result) {
  return detail::ResultAwaiter<T>(std::move(result));
}
// Explains the mistake.
template <class T>
detail::ResultAwaiter<T> operator co_await(const Result<T>&) {
  static_assert(detail::never<T>, "awaiting consumes the result: co_await std::move(result)");
  __builtin_trap();
}

namespace detail {

template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

// Yields the awaiting task or (ThisReactor) its reactor, without suspending.
class ThisTaskAwaiter : public Awaiter<ThisTaskAwaiter> {
 public:
  bool await_ready() noexcept { return false; }
  bool suspend(PromiseBase& task) {
    task_ = &task;
    return false;
  }
  PromiseBase& await_resume() noexcept { return *task_; }

 protected:
  PromiseBase* task_ = nullptr;
};
struct ThisTask {
  ThisTaskAwaiter operator co_await() const noexcept { return ThisTaskAwaiter(); }
};
struct ThisReactorAwaiter : ThisTaskAwaiter {
  Reactor& await_resume() noexcept { return task_->reactor(); }
};
struct ThisReactor {
  ThisReactorAwaiter operator co_await() const noexcept { return ThisReactorAwaiter(); }
};

// The task that a combinator runs in, which its children and timers make ready.
inline constexpr ThisTask this_task;
// Suspends a combinator until something makes its task ready; it looks for the reason afterwards.
class UntilReady : public Awaiter<UntilReady> {
 public:
  static constexpr const char* waits_for = "an event";
  bool await_ready() const noexcept { return false; }
  void suspend(PromiseBase&) const noexcept {}
  void await_resume() const noexcept {}
};
struct SuspendUntilReady {
  UntilReady operator co_await() const noexcept { return {}; }
};
inline constexpr SuspendUntilReady suspend_until_ready;

// Yields a Result of an operation that cannot fail, for code that treats all operations alike.
template <class O>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] OperationResult
    : public Awaiter<OperationResult<O>> {
 public:
  static constexpr const char* waits_for = wait_name<O>.text;
  explicit OperationResult(O&& operation) : operation_(std::move(operation)) {}
  bool await_ready() { return operation_.await_ready(); }
  auto suspend(PromiseBase& task) { return operation_.suspend(task); }
  Result<typename O::Value> await_resume() {
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

// The base of an operation that waits by itself and cannot fail. `O` defines `suspend(PromiseBase&)`, which
// puts the task where something makes it ready, and `await_resume`; its destructor takes the task out again.
// Movable until it is awaited.
//
//     class Wait : public OperationBase<Wait> {
//      public:
//       void suspend(PromiseBase& task) { ... }
//       void await_resume() {}
//     };
template <class O, class T = void>
class OperationBase : public Awaiter<O> {
 public:
  using Value = T;

  bool await_ready() const noexcept { return false; }
  OperationResult<O> result() && { return OperationResult<O>(std::move(static_cast<O&>(*this))); }
  ESC_CORO_CONVERSION operator Task<T>() && { return run(std::move(static_cast<O&>(*this))); }

 private:
  static Task<T> run(O operation) { co_return co_await operation; }
};

class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Yield
    : public OperationBase<Yield> {
 public:
  static constexpr const char* waits_for = "its turn";
  void suspend(PromiseBase& task) { task.reactor().ready_later(task); }
  void await_resume() noexcept {}
};

template <class T>
ESC_CORO_WRAPPER Task<T> as_task(Task<T>&& task) {
  return std::move(task);
}
template <Operation O>
ESC_CORO_WRAPPER Task<typename O::Value> as_task(O&& operation) {
  return std::move(operation);
}

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;
// A function without parameters that returns a task, such as a lambda that is a coroutine.
template <class F>
concept TaskFunction = std::invocable<F&> && is_task<std::invoke_result_t<F&>>;

// Keeps `function` as long as the task that it returns, which may use the function's captures.
template <TaskFunction F>
std::invoke_result_t<F&> call_and_keep(F function) {
  co_return co_await function();
}
template <TaskFunction F>
ESC_CORO_WRAPPER std::invoke_result_t<F&> as_task(F&& function) {
  return call_and_keep(std::move(function));
}

// A child task that is started by something other than a co_await. It is owned here, and makes `on_finish`
// ready when it finishes later.
template <class T>
class ChildTask {
 public:
  explicit ChildTask(Task<T>&& task) : task_(std::move(task)) {}
  void start(Reactor& reactor, Runnable& on_finish) {
    if (!task_.promise().start(reactor)) task_.promise().set_continuation(on_finish, false);
  }
  bool started() const { return task_.promise().started(); }
  void visit(TaskVisitor& visitor) const {
    if (task_) visitor.visit(task_.promise());
  }
  bool finished() const { return task_.promise().finished(); }
  bool failed() const { return finished() && task_.promise().failed(); }
  // Returns the outcome of the finished task, whose frame is gone by then.
  Result<T> take() {
    Task<T> done = std::move(task_);
    return done.promise().take();
  }
  // Returns a reference to the value of a task that has finished and not failed.
  std::add_lvalue_reference_t<T> value() { return task_.promise().value(); }
  void cancel() { task_.reset(); }

 private:
  Task<T> task_;
};

}  // namespace detail

// `Reactor& reactor = co_await this_reactor;` yields the reactor that runs this task. Does not suspend.
inline constexpr detail::ThisReactor this_reactor;

// `co_await yield();` lets others run first: ready tasks, events that have arrived and timers that are due.
// For a task that computes for long; reactor.h says how long others wait at most between two yields.
inline detail::Yield yield() { return detail::Yield(); }

template <class T>
Result<T> Reactor::run(Task<T> task) {
  RunLoop loop(*this);
  detail::ChildTask<T> started(std::move(task));
  const detail::TaskSource<detail::task_tree> source(
      *this, "run", &started, [](const void* owner, detail::TaskVisitor& visitor) {
        static_cast<const detail::ChildTask<T>*>(owner)->visit(visitor);
      });
  started.start(*this, loop);
  if (started.finished()) return started.take();
  if (std::optional<Error> failure = loop.turns()) {
    started.cancel();
    return *std::move(failure);
  }
  return started.take();
}

template <class O>
auto Reactor::run(O operation) {
  return run(detail::as_task(std::move(operation)));
}

}  // namespace escapement
