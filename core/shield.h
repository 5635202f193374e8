// shield: lets a task go on when the task that waits for it is cancelled.
//
//     // Once begun, the order is written to its end, even if the client disconnects.
//     co_await shield(server_scope, write_order(std::move(order)));

#pragma once

#include <utility>

#include <escapement/core/scope.h>

namespace escapement {

// Runs `task`, an operation or a function that returns a task, in `scope`. Yields its value or fails with its
// failure. The task is queued when the returned task starts; if that never happens, neither does the task.
//
// Destroying the returned task leaves the other one running in the scope: if it fails then, the failure is
// the scope's (Scope's constructors). If the scope cancels it, the returned task fails with Errc::cancelled
// (Error::reason() returns the scope's reason). The scope must exist until the task was started, and may be
// gone afterwards; what the task refers to must live as long as the scope's tasks.
template <class T>
Task<T> shield(Scope& scope, Task<T> task) {
  JoinHandle<T> handle = scope.spawn_joinable(std::move(task));
  co_return co_await std::move(handle).join();
}

template <Operation O>
ESC_CORO_WRAPPER Task<typename O::Value> shield(Scope& scope, O operation) {
  return shield(scope, detail::as_task(std::move(operation)));
}

template <detail::TaskFunction F>
ESC_CORO_WRAPPER auto shield(Scope& scope, F function) {
  return shield(scope, detail::call_and_keep(std::move(function)));
}

}  // namespace escapement
