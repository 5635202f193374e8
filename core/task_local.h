// TaskLocal<T>: a value that a task and everything below it see, without passing it as a parameter: the
// identity of a request for the log, a deadline, a user.
//
//     const TaskLocal<std::string> trace_id;         // at namespace scope: it names the value
//
//     Task<Response> serve(Request request) {
//       std::string id = id_of(request);
//       co_return co_await with_local(trace_id, std::move(id), handle(std::move(request)));
//     }
//     Task<> log(std::string_view text) {
//       const std::string* id = co_await local(trace_id);
//       write_line(id != nullptr ? *id : "-", text);
//     }
//
// The value is seen by the operation and by
// - everything that it awaits, at any depth, alone or in `all`, `race`, `select`, `with_timeout`, `for_each`;
// - what it spawns into a Scope or a JoinSet, whosever that is, or shields. A spawned task keeps the values
//   that were seen where it was spawned: it may outlive with_local, and the values live as long as it does.
//   So a connection that a client keeps for later requests keeps those of the request that opened it;
// - the body of a Generator, while something that sees the value waits for it in next(). A body that goes on
//   by itself, because its consumer gave up, sees no values.
//
// It is not seen by the task that awaits with_local, by tasks beside it, by functions that other threads call
// (offload, on a ThreadPool) or post (Reactor::post), or by a response's body that is written when the
// handler has returned. A destructor sees the values of the code that destroys.
//
// A value is constant. An inner with_local of the same key hides it below; nothing changes above. For
// something that changes, let the value be a pointer.
//
// Cost. Tasks are no larger, whether they use this or not. with_local allocates a frame and the value. In a
// reactor in which it was used, each resumption costs two calls more, and the first look for a value after
// each one walks up from the task to the nearest with_local. Elsewhere, none of that.

#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <escapement/core/detail/task_locals.h>
#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/core/task.h>

namespace escapement {

namespace detail {

// Returns the value of `key` that the running code sees; null if there is none.
const void* local_value(const Reactor& reactor, const void* key);

// The values that a with_local adds to those which its own task sees. It is what its operation makes ready.
class LocalScope final : public Runnable {
 public:
  LocalScope(PromiseBase& task, const void* key, std::shared_ptr<const void> value);

  // Starts the operation, which sees the values.
  template <class T>
  void start(ChildTask<T>& operation) {
    const Entered entered(*this);
    operation.start(task_.reactor(), *this);
  }

 private:
  // The values are seen as long as this lives, on the stack.
  class Entered {
   public:
    explicit Entered(const LocalScope& scope);
    Entered(const Entered&) = delete;
    ~Entered();

   private:
    TaskLocals& locals_;
    std::shared_ptr<const LocalValues> before_;
    const Runnable* next_before_;
  };

  void run() override { task_.reactor().resume_next(task_); }
  const void* code() const override { return static_cast<const Runnable&>(task_).code(); }
  const Runnable* awaited_by(std::shared_ptr<const LocalValues>& found) const override {
    found = values_;
    return nullptr;
  }

  PromiseBase& task_;
  std::shared_ptr<const LocalValues> values_;
};

template <class T>
class LocalAwaiter;

}  // namespace detail

// The name of a value of type T. Its address tells it from others: it must exist as long as anything uses the
// value, and is neither copied nor moved. Holds no value itself. May be shared by threads.
template <class T>
class TaskLocal {
 public:
  static_assert(std::is_object_v<T> && !std::is_const_v<T>,
                "a TaskLocal names a value: TaskLocal<std::string>");

  constexpr TaskLocal() = default;
  TaskLocal(const TaskLocal&) = delete;
  TaskLocal& operator=(const TaskLocal&) = delete;

  // Returns the value that the running code sees, for functions that are no coroutine; null if no with_local
  // has set it, and outside of the tasks of `reactor`. Must be called on the reactor's thread. The pointer is
  // valid until the running task waits, and after that as long as the task has not ended; in a Generator's
  // body only until it waits or yields.
  const T* get(const Reactor& reactor) const {
    return static_cast<const T*>(detail::local_value(reactor, this));
  }
};

// `const T* value = co_await local(key);` yields what key.get() returns in this task. Does not suspend.
template <class T>
detail::LocalAwaiter<T> local(const TaskLocal<T>& key) {
  return detail::LocalAwaiter<T>(key);
}

// Runs `task`, an operation or a function that returns a task, which see `value` under `key`. Yields its
// value or fails with its failure.
//
// The operation starts at once; for the first with_local of a reactor, it starts in the next turn. Destroying
// the returned task destroys the operation, and then the value unless a spawned task keeps it. The value is
// destroyed after the frame of the last task that sees it.
template <class K, class T>
Task<T> with_local(const TaskLocal<K>& key, std::type_identity_t<K> value, Task<T> task) {
  detail::PromiseBase& self = co_await detail::this_task;
  if (detail::TaskLocals::keep(self.reactor())) co_await yield();
  detail::LocalScope scope(self, &key, std::make_shared<const K>(std::move(value)));
  detail::ChildTask<T> operation(std::move(task));
  scope.start(operation);
  while (!operation.finished()) co_await detail::until_one_is_ready(operation);
  Result<T> outcome = operation.take();
  co_return co_await std::move(outcome);
}

template <class K, Operation O>
ESC_CORO_WRAPPER Task<typename O::Value> with_local(const TaskLocal<K>& key, std::type_identity_t<K> value,
                                                    O operation) {
  return with_local(key, std::move(value), detail::as_task(std::move(operation)));
}

template <class K, detail::TaskFunction F>
ESC_CORO_WRAPPER auto with_local(const TaskLocal<K>& key, std::type_identity_t<K> value, F function) {
  return with_local(key, std::move(value), detail::call_and_keep(std::move(function)));
}

// Explains the mistake.
template <class K, class V, class O>
Task<> with_local(const TaskLocal<K>&&, V&&, O&&) {
  static_assert(detail::never<K>,
                "a TaskLocal must last as long as its value: declare it at namespace scope");
  co_return;
}

namespace detail {

template <class T>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] LocalAwaiter
    : public Awaiter<LocalAwaiter<T>> {
 public:
  explicit LocalAwaiter(const TaskLocal<T>& key) : key_(key) {}
  bool await_ready() const noexcept { return false; }
  bool suspend(PromiseBase& task) {
    value_ = key_.get(task.reactor());
    return false;
  }
  const T* await_resume() const noexcept { return value_; }

 private:
  const TaskLocal<T>& key_;
  const T* value_ = nullptr;
};

}  // namespace detail

}  // namespace escapement
