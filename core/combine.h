// all, race and select: run several tasks, or operations (task.h), as one task.
//
//     auto [user, repositories] = co_await all(get_user(), get_repositories());
//     std::vector<Page> pages = co_await all(std::move(page_tasks));
//     std::string fastest = co_await race(ask(first), ask(second));
//
//     std::variant<Message, std::monostate> next = co_await select(receive(), stopping.wait());
//     if (next.index() == 0) handle(std::get<0>(next));

#pragma once

#include <deque>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/core/task.h>

namespace escapement {

namespace detail {

// The contribution of a task to a tuple or a variant: std::monostate for a task that yields nothing.
template <class T>
using NonVoid = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
NonVoid<T> take_nonvoid(ChildTask<T>& child) {
  if constexpr (std::is_void_v<T>) {
    *child.take();
    return {};
  } else {
    return *child.take();
  }
}

// Starts the child. Returns false if it failed at once.
template <class T>
bool start_child(ChildTask<T>& child, PromiseBase& parent) {
  child.start(parent.reactor(), parent);
  return !child.failed();
}

template <class T>
void take_failure(ChildTask<T>& child, std::optional<Error>& failure) {
  if (!failure && child.failed()) failure = child.take().error();
}

// State shared by the children of `all` over a vector: the waiting task, and how many children still run.
struct WaitForAll {
  PromiseBase* task = nullptr;
  std::size_t left = 0;
};

// One of many children. Wakes the task only if it failed or was the last to finish, so that the cost per
// child does not grow with their number.
template <class T>
class CountedChild final : public Runnable {
 public:
  CountedChild(Task<T>&& task, WaitForAll& wait) : child_(std::move(task)), wait_(wait) {}

  // Returns false if the child failed at once.
  bool start() {
    child_.start(wait_.task->reactor(), *this);
    if (child_.finished()) --wait_.left;
    return !child_.failed();
  }
  ChildTask<T>& child() { return child_; }
  const ChildTask<T>& child() const { return child_; }

 private:
  void run() override {
    --wait_.left;
    if (wait_.left == 0 || child_.failed()) wait_.task->reactor().resume_next(*wait_.task);
  }
  const void* code() const override { return wait_.task->code(); }
  const Runnable* awaited_by(std::shared_ptr<const LocalValues>&) const override { return wait_.task; }

  ChildTask<T> child_;
  WaitForAll& wait_;
};

template <class T>
void visit_children(const CountedChild<T>& child, TaskVisitor& visitor) {
  child.child().visit(visitor);
}

// Starts the children in order, up to the first that fails at once. Returns false if one did.
template <class T>
bool start_all(std::deque<CountedChild<T>>& children) {
  for (CountedChild<T>& child : children) {
    if (!child.start()) return false;
  }
  return true;
}

// Cancels all children if one has failed, and returns the first failure.
template <class T>
std::optional<Error> cancel_if_one_failed(std::deque<CountedChild<T>>& children) {
  std::optional<Error> failure;
  for (CountedChild<T>& child : children) take_failure(child.child(), failure);
  if (failure) children.clear();
  return failure;
}

template <class Outcome, std::size_t I, class... T>
void take_if_first(std::tuple<ChildTask<T>...>& children, std::optional<Result<Outcome>>& outcome) {
  auto& child = std::get<I>(children);
  if (outcome || !child.finished()) return;
  if (child.failed()) {
    outcome.emplace(child.take().error());
  } else {
    outcome.emplace(Outcome(std::in_place_index<I>, take_nonvoid(child)));
  }
}

// Returns the outcome of the first child in the list that has finished, if any.
template <class Outcome, class... T, std::size_t... I>
std::optional<Result<Outcome>> take_first(std::tuple<ChildTask<T>...>& children, std::index_sequence<I...>) {
  std::optional<Result<Outcome>> outcome;
  (take_if_first<Outcome, I>(children, outcome), ...);
  return outcome;
}

}  // namespace detail

// Runs all tasks concurrently and yields their values in order. A failure, the first in the list if several
// fail in one turn, cancels the others and is reported once their frames are destroyed. Destroying the
// returned task destroys them all.
template <class... T>
Task<std::tuple<detail::NonVoid<T>...>> all(Task<T>... tasks) {
  std::tuple<detail::ChildTask<T>...> children{detail::ChildTask<T>(std::move(tasks))...};
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
    co_await detail::until_one_is_ready(children);
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

// Overload for any number of tasks of one type. Yields their values in order; no tasks yield an empty vector
// at once. All of them run at once; to run a few at a time, let each acquire a Semaphore (event.h).
template <class T>
  requires(!std::is_void_v<T>)
Task<std::vector<T>> all(std::vector<Task<T>> tasks) {
  detail::WaitForAll wait;
  detail::PromiseBase& self = co_await detail::this_task;
  wait.task = &self;
  wait.left = tasks.size();
  std::deque<detail::CountedChild<T>> children;
  for (Task<T>& task : tasks) children.emplace_back(std::move(task), wait);
  if (detail::start_all(children) && wait.left > 0) co_await detail::until_one_is_ready(children);
  std::optional<Error> failure = detail::cancel_if_one_failed(children);
  if (failure) co_await Error(*std::move(failure));
  std::vector<T> values;
  values.reserve(children.size());
  for (detail::CountedChild<T>& child : children) values.push_back(*child.child().take());
  co_return values;
}
inline Task<> all(std::vector<Task<>> tasks) {
  detail::WaitForAll wait;
  detail::PromiseBase& self = co_await detail::this_task;
  wait.task = &self;
  wait.left = tasks.size();
  std::deque<detail::CountedChild<void>> children;
  for (Task<>& task : tasks) children.emplace_back(std::move(task), wait);
  if (detail::start_all(children) && wait.left > 0) co_await detail::until_one_is_ready(children);
  std::optional<Error> failure = detail::cancel_if_one_failed(children);
  if (failure) co_await Error(*std::move(failure));
}

// Runs all tasks concurrently. The first to finish wins, with its value or its failure; of several that
// finish in one turn, the earliest in the list. The others are destroyed before the winner is reported. Fails
// with Errc::invalid_argument if there are no tasks.
template <class T>
Task<T> race(std::vector<Task<T>> tasks) {
  if (tasks.empty()) co_await Error(Errc::invalid_argument, "race: no tasks");
  detail::PromiseBase& self = co_await detail::this_task;
  std::vector<detail::ChildTask<T>> children;
  children.reserve(tasks.size());
  detail::ChildTask<T>* winner = nullptr;
  for (Task<T>& task : tasks) {
    detail::ChildTask<T>& child = children.emplace_back(std::move(task));
    child.start(self.reactor(), self);
    if (child.finished()) winner = &child;
    if (winner != nullptr) break;
  }
  while (winner == nullptr) {
    co_await detail::until_one_is_ready(children);
    for (detail::ChildTask<T>& child : children) {
      if (winner == nullptr && child.finished()) winner = &child;
    }
  }
  Result<T> outcome = winner->take();
  children.clear();
  tasks.clear();
  co_return co_await std::move(outcome);
}

// Overload for a handful of tasks written out.
template <class T, class... More>
  requires(std::same_as<T, More> && ...)
Task<T> race(Task<T> first, Task<More>... more) {
  std::vector<Task<T>> tasks;
  tasks.reserve(1 + sizeof...(more));
  tasks.push_back(std::move(first));
  (tasks.push_back(std::move(more)), ...);
  return race(std::move(tasks));
}

// Explains the mistake, for tasks of different types.
template <class T, class... More>
  requires(sizeof...(More) > 0) && (!(std::same_as<T, More> && ...))
Task<> race(Task<T>, Task<More>...) {
  static_assert(
      detail::never<T>,
      "race yields the value of any one of its tasks, so they have one type: use select for tasks of "
      "different types");
  co_return;
}

template <class... O>
  requires(Operation<O> || ...)
auto race(O... operations) {
  return race(detail::as_task(std::move(operations))...);
}

// Like race, for tasks of different types, or where it matters which one won: the index of the variant is the
// winner's position in the list. If the winner fails, select fails.
template <class... T>
  requires(sizeof...(T) > 0)
Task<std::variant<detail::NonVoid<T>...>> select(Task<T>... tasks) {
  using Outcome = std::variant<detail::NonVoid<T>...>;
  std::tuple<detail::ChildTask<T>...> children{detail::ChildTask<T>(std::move(tasks))...};
  detail::PromiseBase& self = co_await detail::this_task;
  std::apply([&](auto&... child) { (void)((child.start(self.reactor(), self), !child.finished()) && ...); },
             children);
  std::optional<Result<Outcome>> outcome;
  for (;;) {
    outcome = detail::take_first<Outcome>(children, std::index_sequence_for<T...>());
    if (outcome) break;
    co_await detail::until_one_is_ready(children);
  }
  std::apply([](auto&... child) { (child.cancel(), ...); }, children);
  co_return *std::move(outcome);
}

template <class... O>
  requires(Operation<O> || ...)
auto select(O... operations) {
  return select(detail::as_task(std::move(operations))...);
}

}  // namespace escapement
