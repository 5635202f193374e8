// print_tasks_on: shows the tasks of a running program when it receives a signal.

#pragma once

#include <csignal>
#include <functional>
#include <string_view>

#include <escapement/core/task.h>
#include <escapement/io/native/fd_backend.h>

namespace escapement {

// Writes the task tree (core/task_tree.h) of the reactor that runs it, each time the process receives the
// signal `number`; never ends by itself. `write` receives the text; empty: standard error. The reactor of
// `backend` must be the one that runs it.
//
//     scope.spawn(print_tasks_on(loop.backend(), SIGUSR1));         // kill -USR1 PID
//
// Spawn it before other threads start, as Signals requires (signals.h), and before the signal can come: until
// its first turn the signal ends the process. A program with several loops prints each in its own way: post
// to it a function that calls task_tree. Errors: overloaded when no descriptor is left.
Task<> print_tasks_on(FdBackend& backend, int number, std::function<void(std::string_view)> write = {});

}  // namespace escapement
