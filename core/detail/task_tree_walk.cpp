// The task tree of builds that have one.

#include <escapement/core/task_tree.h>

namespace escapement {

namespace detail {

void WaitRecord<true>::visit_tasks(TaskVisitor& visitor) const {
  const std::uintptr_t address = what_ & ~kinds;
  if ((what_ & kinds) == one_task && address != 0) {
    visitor.visit(*reinterpret_cast<const PromiseBase*>(address));
  } else if ((what_ & kinds) == many_tasks) {
    const TaskGroup& group = *reinterpret_cast<const TaskGroup*>(address);
    group.visit(group, visitor);
  }
}

TaskSource<true>::TaskSource(Reactor& reactor, const char* name, const void* owner, Visit tasks)
    : name_(name), owner_(owner), visit_(tasks) {
  reactor.task_sources_.list.push_back(*this);
}

// Appends a node for each task that it visits.
class TaskTreeWalk final : public TaskVisitor {
 public:
  TaskTreeWalk(Reactor& reactor, std::vector<TaskNode>& into) : reactor_(reactor), into_(into) {}

  void visit(const PromiseBase& task) override {
    TaskNode& node = into_.emplace_back();
    describe(task, node);
    TaskTreeWalk below(reactor_, node.tasks);
    task.waiting_.visit_tasks(below);
  }

  void visit_sources() {
    for (const TaskSource<true>& source : reactor_.task_sources_.list) {
      std::vector<TaskNode> tasks;
      TaskTreeWalk below(reactor_, tasks);
      source.visit(below);
      if (tasks.empty()) continue;
      TaskNode& node = into_.emplace_back();
      node.name = source.name();
      node.tasks = std::move(tasks);
    }
  }

 private:
  void describe(const PromiseBase& task, TaskNode& node) const {
    const WaitRecord<true>& waiting = task.waiting_;
    node.name = "(a task)";
    if (waiting.place().line() != 0) node.name = short_function_name(waiting.place().function_name());
    if (task.finished()) {
      node.waits_for = "finished";
    } else if (!waiting.waits()) {
      node.waits_for = task.started() ? "running" : "not started";
    } else {
      node.waits_for = task.linked() ? "ready" : waiting.name() != nullptr ? waiting.name()->text : "tasks";
      node.waiting = reactor_.now() - waiting.since();
      std::string_view file = waiting.place().file_name();
      node.file = file.substr(file.rfind('/') + 1);
      node.line = waiting.place().line();
    }
  }

  Reactor& reactor_;
  std::vector<TaskNode>& into_;
};

}  // namespace detail

std::vector<TaskNode> task_tree(Reactor& reactor) {
  std::vector<TaskNode> tree;
  detail::TaskTreeWalk(reactor, tree).visit_sources();
  return tree;
}

}  // namespace escapement
