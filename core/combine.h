// all and race: several tasks as one.

#pragma once

#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <escapement/core/task.h>

namespace escapement {

namespace detail {

// What a task contributes to a tuple: a task that yields nothing contributes std::monostate.
template <class T>
using NonVoid = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
NonVoid<T> take_nonvoid(Started<T>& started) {
  if constexpr (std::is_void_v<T>) {
    *started.take();
    return {};
  } else {
    return *started.take();
  }
}

// Starts it unless an earlier one failed at once. False when it failed at once.
template <class T>
bool start_child(Started<T>& started, PromiseBase& parent) {
  started.start(parent.reactor(), parent);
  return !started.failed();
}

template <class T>
void take_failure(Started<T>& started, std::optional<Error>& failure) {
  if (!failure && started.failed()) failure = started.take().error();
}

}  // namespace detail

// Runs all of them at once; yields their values in order. The first failure cancels the others, whose
// frames are gone before it is reported. Destroying the task destroys them all.
template <class... T>
Task<std::tuple<detail::NonVoid<T>...>> all(Task<T>... tasks) {
  std::tuple<detail::Started<T>...> children{detail::Started<T>(std::move(tasks))...};
  detail::PromiseBase& self = co_await detail::this_task;
  std::apply([&](auto&... child) { (void)(detail::start_child(child, self) && ...); }, children);
  for (;;) {
    std::optional<Error> failure;
    std::apply([&](auto&... child) { (detail::take_failure(child, failure), ...); }, children);
    if (failure) {
      std::apply([](auto&... child) { (child.cancel(), ...); }, children);
      co_await Error(*std::move(failure));
    }
    if (std::apply([](auto&... child) { return (child.finished() && ...); }, children)) break;
    co_await detail::until_made_ready;
  }
  co_return std::apply(
      [](auto&... child) { return std::tuple<detail::NonVoid<T>...>{detail::take_nonvoid(child)...}; },
      children);
}

template <class... O>
  requires(Operation<O> || ...)
auto all(O... operations) {
  return all(detail::as_task(std::move(operations))...);
}

// Runs all of them at once; the first to finish wins, with its value or its failure, the earlier in the
// list where several finish in one turn. The others are destroyed before the winner is reported. None to
// run: Errc::invalid_argument.
template <class T>
Task<T> race(std::vector<Task<T>> tasks) {
  if (tasks.empty()) co_await Error(Errc::invalid_argument, "race: no tasks");
  detail::PromiseBase& self = co_await detail::this_task;
  std::vector<detail::Started<T>> children;
  children.reserve(tasks.size());
  detail::Started<T>* winner = nullptr;
  for (Task<T>& task : tasks) {
    detail::Started<T>& child = children.emplace_back(std::move(task));
    child.start(self.reactor(), self);
    if (child.finished()) winner = &child;
    if (winner != nullptr) break;
  }
  while (winner == nullptr) {
    co_await detail::until_made_ready;
    for (detail::Started<T>& child : children) {
      if (winner == nullptr && child.finished()) winner = &child;
    }
  }
  Result<T> outcome = winner->take();
  children.clear();
  tasks.clear();
  co_return co_await std::move(outcome);
}

// The same for a handful of tasks written out.
template <class T, class... More>
  requires(std::same_as<T, More> && ...)
Task<T> race(Task<T> first, Task<More>... more) {
  std::vector<Task<T>> tasks;
  tasks.reserve(1 + sizeof...(more));
  tasks.push_back(std::move(first));
  (tasks.push_back(std::move(more)), ...);
  return race(std::move(tasks));
}

template <class... O>
  requires(Operation<O> || ...)
auto race(O... operations) {
  return race(detail::as_task(std::move(operations))...);
}

}  // namespace escapement
