// The task tree of builds that have one.

#include <escapement/core/task_tree.h>

#include <cstdint>
#include <map>
#include <set>

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
    : name_(name), owner_(owner), visit_(tasks), maker_(0) {
  TaskSources<true>& sources = reactor.task_sources_;
  if (sources.running != nullptr) maker_ = sources.running->number(sources.last_number);
  sources.list.push_back(*this);
}

// Appends a node for each task that it visits.
class TaskTreeWalk final : public TaskVisitor {
 public:
  // The owners of tasks that living tasks have made, by the number of their maker.
  using Made = std::multimap<std::uint32_t, const TaskSource<true>*>;

  static void walk(Reactor& reactor, std::vector<TaskNode>& into) {
    const List<TaskSource<true>>& sources = reactor.task_sources_.list;
    Makers living;
    for (const TaskSource<true>& source : sources) source.visit(living);
    Made made;
    for (const TaskSource<true>& source : sources) {
      if (living.numbers.contains(source.maker())) made.emplace(source.maker(), &source);
    }
    TaskTreeWalk top(reactor, made, into);
    for (const TaskSource<true>& source : sources) {
      if (!living.numbers.contains(source.maker())) top.visit_source(source);
    }
  }

  void visit(const PromiseBase& task) override {
    TaskNode& node = into_.emplace_back();
    describe(task, node);
    TaskTreeWalk below(reactor_, made_, node.tasks);
    task.waiting_.visit_tasks(below);
    const auto [first, last] = made_.equal_range(task.waiting_.number());
    for (auto source = first; source != last; ++source) below.visit_source(*source->second);
  }

 private:
  // Finds the tasks that have made owners of tasks.
  struct Makers final : TaskVisitor {
    void visit(const PromiseBase& task) override {
      if (task.waiting_.number() != 0) numbers.insert(task.waiting_.number());
      task.waiting_.visit_tasks(*this);
    }
    std::set<std::uint32_t> numbers;
  };

  TaskTreeWalk(Reactor& reactor, const Made& made, std::vector<TaskNode>& into)
      : reactor_(reactor), made_(made), into_(into) {}

  void visit_source(const TaskSource<true>& source) {
    std::vector<TaskNode> tasks;
    TaskTreeWalk below(reactor_, made_, tasks);
    source.visit(below);
    if (tasks.empty()) return;
    TaskNode& node = into_.emplace_back();
    node.name = source.name();
    node.tasks = std::move(tasks);
  }

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
  const Made& made_;
  std::vector<TaskNode>& into_;
};

}  // namespace detail

std::vector<TaskNode> task_tree(Reactor& reactor) {
  std::vector<TaskNode> tree;
  detail::TaskTreeWalk::walk(reactor, tree);
  return tree;
}

}  // namespace escapement
