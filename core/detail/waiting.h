// The record of what a task waits for, and where, which task_tree.h shows.
//
// It exists in builds with the CMake option ESC_TASK_TREE, which defines the macro for the library and for
// everything that links it. Otherwise the classes here are empty and cost nothing.

#pragma once

#include <concepts>
#include <cstdint>
#include <source_location>
#include <utility>

#include <escapement/core/list.h>
#include <escapement/core/time.h>

#ifndef ESC_TASK_TREE
#define ESC_TASK_TREE 0
#endif

namespace escapement {

class Reactor;

namespace detail {

class PromiseBase;

inline constexpr bool task_tree = ESC_TASK_TREE;

// A parameter of PromiseBase::fail, which every coroutine refers to: a program and a library that were built
// with different choices have different tasks, and do not link.
template <bool>
struct BuiltWithTaskTree {};

// Visits the tasks that something waits for, or owns.
class TaskVisitor {
 public:
  virtual void visit(const PromiseBase& task) = 0;

 protected:
  ~TaskVisitor() = default;
};

// The base of an awaiter that waits for several tasks.
struct alignas(8) TaskGroup {
  void (*visit)(const TaskGroup&, TaskVisitor&);
};

// The name of a kind of wait: "timer", "event", "stream".
struct alignas(8) WaitName {
  const char* text;
};
template <class A>
constexpr WaitName wait_name_of() {
  if constexpr (requires { A::waits_for; }) {
    return {A::waits_for};
  } else {
    return {"an operation"};
  }
}
template <class A>
inline constexpr WaitName wait_name = wait_name_of<A>();

template <bool>
class WaitRecord;

template <>
class WaitRecord<false> {
 public:
  struct Place {
    static constexpr Place current() { return {}; }
  };
  struct Running {
    Running(WaitRecord&, Reactor&) {}
  };
  template <class A>
  void begin(const A&, Place, const Reactor&) {}
};

// 32 bytes in a task. `begin` is four stores, when a task has been suspended; `Running` notes which task
// runs.
template <>
class WaitRecord<true> {
 public:
  using Place = std::source_location;

  // Lives while the task runs: the scopes that are made meanwhile are its own.
  class Running {
   public:
    template <class R>
    Running(WaitRecord& record, R& reactor)
        : running_(reactor.task_sources_.running), before_(std::exchange(running_, &record)) {
      record.end();
    }
    Running(const Running&) = delete;
    ~Running() { running_ = before_; }

   private:
    WaitRecord*& running_;
    WaitRecord* const before_;
  };

  template <class A, class R>
  void begin(const A& awaiter, Place place, const R& reactor) {
    since_ = reactor.now();
    place_ = place;
    if constexpr (requires { awaiter.awaited_task(); }) {
      what_ = reinterpret_cast<std::uintptr_t>(awaiter.awaited_task()) | one_task;
    } else if constexpr (std::derived_from<A, TaskGroup>) {
      what_ = reinterpret_cast<std::uintptr_t>(static_cast<const TaskGroup*>(&awaiter)) | many_tasks;
    } else {
      what_ = reinterpret_cast<std::uintptr_t>(&wait_name<A>);
    }
  }

  // Null unless the task waits for something else than tasks.
  const WaitName* name() const {
    return (what_ & kinds) != 0 ? nullptr : reinterpret_cast<const WaitName*>(what_);
  }
  void visit_tasks(TaskVisitor& visitor) const;
  bool waits() const { return what_ != 0; }
  const Place& place() const { return place_; }
  Instant since() const { return since_; }
  // The number of a task that has made an owner of tasks; 0: it has made none.
  std::uint32_t number() const { return number_; }
  std::uint32_t number(std::uint32_t& last) {
    if (number_ == 0) number_ = ++last;
    return number_;
  }

 private:
  // Called when the awaiter is about to go.
  void end() { what_ = 0; }

  static constexpr std::uintptr_t one_task = 1, many_tasks = 2, kinds = 3;

  std::uintptr_t what_ =
      0;  // the address of a WaitName, of a PromiseBase | one_task, or a TaskGroup | many_tasks
  Place place_;
  Instant since_;
  std::uint32_t number_ = 0;
};

// An owner of tasks that nobody awaits, in its reactor's list: a Scope, a server, `Reactor::run`.
template <bool>
class TaskSource;

template <>
class TaskSource<false> {
 public:
  using Visit = void (*)(const void*, TaskVisitor&);
  TaskSource(Reactor&, const char*, const void*, Visit) {}
};

template <>
class TaskSource<true> : public ListNode {
 public:
  using Visit = void (*)(const void*, TaskVisitor&);
  // Calls `tasks(owner, visitor)` to visit the tasks.
  TaskSource(Reactor& reactor, const char* name, const void* owner, Visit tasks);

  const char* name() const { return name_; }
  // The number of the task that made it; 0: none did.
  std::uint32_t maker() const { return maker_; }
  void visit(TaskVisitor& visitor) const { visit_(owner_, visitor); }

 private:
  const char* name_;
  const void* owner_;
  Visit visit_;
  std::uint32_t maker_;
};

// A reactor's list of them.
template <bool>
struct TaskSources {};
template <>
struct TaskSources<true> {
  List<TaskSource<true>> list;
  WaitRecord<true>* running = nullptr;  // of the task that runs
  std::uint32_t last_number = 0;
};

}  // namespace detail

}  // namespace escapement
