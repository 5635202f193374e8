#include <escapement/core/task_local.h>

#include <unordered_map>
#include <utility>
#include <vector>

#include <escapement/core/detail/turn.h>
#include <escapement/core/scope.h>

namespace escapement {

namespace detail {

// The values of one with_local together with those around it, one for each key.
class LocalValues {
 public:
  LocalValues(const LocalValues* outer, const void* key, std::shared_ptr<const void> value) {
    values_.reserve(outer == nullptr ? 1 : outer->values_.size() + 1);
    values_.push_back(Value{key, std::move(value)});
    if (outer == nullptr) return;
    for (const Value& other : outer->values_) {
      if (other.key != key) values_.push_back(other);
    }
  }

  const void* find(const void* key) const {
    for (const Value& value : values_) {
      if (value.key == key) return value.value.get();
    }
    return nullptr;
  }

 private:
  struct Value {
    const void* key;
    std::shared_ptr<const void> value;
  };
  std::vector<Value> values_;
};

// Knows the values that the running code sees, or where to look for them.
class KeptLocals final : public TaskLocals {
 public:
  void enter(const Runnable* runnable) override {
    const std::shared_ptr<const LocalValues> before = std::move(seen);  // the last to go may run code
    next = runnable == nullptr ? nullptr : runnable->awaited_by(seen);
  }
  void spawned(SpawnedBase& task) override {
    std::unique_ptr<SpawnedBase> owned(&task);
    if (look()) inherited_.emplace(&task, seen);
    owned.release();
  }
  void ended(const Runnable& task) override {
    [[maybe_unused]] const auto out = inherited_.extract(&task);  // the map is whole again when a value goes
  }
  std::shared_ptr<const LocalValues> seen_now() override {
    look();
    return seen;
  }
  std::shared_ptr<const LocalValues> inherited(const Runnable& task) const override {
    const auto found = inherited_.find(&task);
    return found == inherited_.end() ? nullptr : found->second;
  }

  // Walks up to the nearest values. Returns null if there are none.
  const LocalValues* look() {
    while (seen == nullptr && next != nullptr) next = next->awaited_by(seen);
    return seen.get();
  }

  std::shared_ptr<const LocalValues> seen;
  const Runnable* next = nullptr;  // where to look for them; outlives the run of what it waits for

 private:
  std::unordered_map<const Runnable*, std::shared_ptr<const LocalValues>> inherited_;
};

TaskLocals::TaskLocals() : run_queues(&Reactor::run_queues_with_locals) {}

bool TaskLocals::keep(Reactor& reactor) {
  if (reactor.locals_ != nullptr) return false;
  reactor.locals_ = new KeptLocals();
  if (reactor.run_queues_otherwise_ == nullptr) reactor.run_queues_otherwise_ = reactor.locals_->run_queues;
  return true;
}

namespace {

KeptLocals& kept(const Reactor& reactor) { return static_cast<KeptLocals&>(*TaskLocals::of(reactor)); }

}  // namespace

const void* local_value(const Reactor& reactor, const void* key) {
  if (TaskLocals::of(reactor) == nullptr) return nullptr;
  reactor.check_thread();
  const LocalValues* values = kept(reactor).look();
  return values == nullptr ? nullptr : values->find(key);
}

LocalScope::LocalScope(PromiseBase& task, const void* key, std::shared_ptr<const void> value)
    : task_(task),
      values_(std::make_shared<const LocalValues>(kept(task.reactor()).look(), key, std::move(value))) {}

LocalScope::Entered::Entered(const LocalScope& scope)
    : locals_(kept(scope.task_.reactor())), before_(scope.values_), next_before_(nullptr) {
  KeptLocals& locals = static_cast<KeptLocals&>(locals_);
  std::swap(locals.seen, before_);
  std::swap(locals.next, next_before_);
}

LocalScope::Entered::~Entered() {
  KeptLocals& locals = static_cast<KeptLocals&>(locals_);
  locals.seen = std::move(before_);
  locals.next = next_before_;
}

}  // namespace detail

bool Reactor::run_queues_with_locals() {
  collect_due();
  const bool anything = anything_queued();
  run_batches([this](Runnable& runnable) {
    locals_->enter(&runnable);
    runnable.run();
  });
  locals_->enter(nullptr);
  return anything;
}

}  // namespace escapement
