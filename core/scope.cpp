#include <escapement/core/scope.h>

namespace escapement {

Scope::Scope(Reactor& reactor) : reactor_(reactor) {}

Scope::Scope(Reactor& reactor, std::function<void(Error)> on_failure)
    : reactor_(reactor), failures_are_separate_(true), on_failure_(std::move(on_failure)) {}

Scope::~Scope() { cancel(); }

void Scope::spawn(Task<> task) { add(new detail::Spawned<void>(*this, std::move(task), nullptr)); }

void Scope::add(detail::SpawnedBase* spawned) {
  tasks_.push_back(spawned->member_);
  ++size_;
  reactor_.ready(*spawned);
}

void Scope::remove(detail::SpawnedBase& spawned) {
  spawned.member_.unlink();
  --size_;
  if (tasks_.empty()) idle_.pulse();
}

void Scope::cancel() {
  while (!tasks_.empty()) {
    detail::SpawnedBase* youngest = tasks_.back().task;
    delete youngest;
  }
}

void Scope::task_failed(Error error) {
  if (failures_are_separate_) {
    if (on_failure_) on_failure_(std::move(error));
    return;
  }
  if (!first_failure_) first_failure_ = std::move(error);
  cancel();
}

Task<> Scope::join() {
  while (!tasks_.empty()) co_await idle_.wait();
  if (first_failure_) {
    Error failure = *std::move(first_failure_);
    first_failure_.reset();
    co_await Error(std::move(failure));
  }
}

namespace detail {

// Runs once to start the task and, where that did not finish it, once more when it has finished.
void SpawnedBase::run() {
  if (!started_) {
    started_ = true;
    start(scope_.reactor_);
  }
  if (!finished()) return;
  std::unique_ptr<SpawnedBase> self(this);
  scope_.remove(*this);
  settle();
}

SpawnedBase::~SpawnedBase() {
  if (member_.linked()) scope_.remove(*this);
}

}  // namespace detail

}  // namespace escapement
