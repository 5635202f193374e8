// The task tree: which tasks a reactor has, what each waits for, since when and at which line.
//
//     std::fputs(to_text(task_tree(reactor)).c_str(), stderr);
//
//     task                 waits for   for      at
//     run
//       serve              tasks       12.4 s   server.cpp:48
//         accept           stream      12.4 s   server.cpp:31
//     scope
//       session            timer       3.2 s    session.cpp:77
//
// Exists in builds with the CMake option ESC_TASK_TREE (docs/seeing-inside.md says what it costs); elsewhere
// the tree is empty, and `task_tree_built` is false. Listed are the tasks of Reactor::run, of scopes and of
// servers, and below each one the tasks that it awaits and the scopes and servers that it has made. A task
// that something else owns and starts is not found.

#pragma once

#include <string>
#include <vector>

#include <escapement/core/reactor.h>
#include <escapement/core/task.h>

namespace escapement {

// True if the library was built with the task tree.
inline constexpr bool task_tree_built = detail::task_tree;

// One task, or an owner of tasks: a scope, a server, Reactor::run.
struct TaskNode {
  std::string name;       // of the function, without its parameters; or of an owner of tasks: "scope"
  std::string waits_for;  // "timer", "event", "tasks"; "running", "ready"; "" for an owner
  Duration waiting;   // how long it has waited, from the turn in which it began; zero where it does not wait
  std::string file;   // of the co_await, without its folders; empty where it does not wait
  unsigned line = 0;  // of that file
  // The task that it awaits or the children of a combinator, then the owners that it made as "scope" or
  // "server"; of an owner, its tasks.
  std::vector<TaskNode> tasks;
};

// Returns the tree of all tasks of `reactor`, in the order in which their owners and they began. An owner of
// tasks stands below the task that ran when it was made, at the top once that has ended. Must be
// called on the reactor's thread; tasks may call it, and are "running" then. Allocates; takes time for each
// task.
std::vector<TaskNode> task_tree(Reactor& reactor);

// Formats the tree as an indented table, a line for each task.
std::string to_text(const std::vector<TaskNode>& tree);
// Formats it as a JSON array of objects {"name", "waits_for", "seconds", "file", "line", "tasks"}.
std::string to_json(const std::vector<TaskNode>& tree);

namespace detail {
// Returns the name of the function in what compilers say about it (std::source_location::function_name),
// without its result, parameters and anonymous namespaces: "api::fetch", "main()::<lambda>".
std::string short_function_name(std::string_view pretty);
}  // namespace detail

}  // namespace escapement
