// until_one_is_ready: how a combinator waits for its children.

#pragma once

#include <optional>
#include <tuple>

#include <escapement/core/task.h>

namespace escapement::detail {

template <class T>
void visit_children(const ChildTask<T>& child, TaskVisitor& visitor) {
  child.visit(visitor);
}
template <class T>
void visit_children(const std::optional<T>& child, TaskVisitor& visitor) {
  if (child) visit_children(*child, visitor);
}
template <class... T>
void visit_children(const std::tuple<T...>& children, TaskVisitor& visitor) {
  std::apply([&](const auto&... child) { (visit_children(child, visitor), ...); }, children);
}
template <class Children>
  requires requires(const Children& children) { children.begin(); }
void visit_children(const Children& children, TaskVisitor& visitor) {
  for (const auto& child : children) visit_children(child, visitor);
}

template <class Children>
class UntilOneIsReady : public Awaiter<UntilOneIsReady<Children>>, public TaskGroup {
 public:
  explicit UntilOneIsReady(const Children& children) : TaskGroup{see}, children_(children) {}
  bool await_ready() const noexcept { return false; }
  void suspend(PromiseBase&) const noexcept {}
  void await_resume() const noexcept {}

 private:
  static void see(const TaskGroup& self, TaskVisitor& visitor) {
    visit_children(static_cast<const UntilOneIsReady&>(self).children_, visitor);
  }

  const Children& children_;
};
// Suspends a combinator like suspend_until_ready, and shows `children` to the task tree: a ChildTask, a range
// or a tuple of them, or anything that has an overload of visit_children. They must not move meanwhile.
template <class Children>
auto until_one_is_ready([[maybe_unused]] const Children& children) {
  if constexpr (task_tree) {
    return UntilOneIsReady<Children>(children);
  } else {
    return UntilReady();
  }
}

}  // namespace escapement::detail
