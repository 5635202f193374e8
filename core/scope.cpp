#include <escapement/core/scope.h>

namespace escapement {

Scope::Scope(Reactor& reactor) : reactor_(reactor) {}

Scope::Scope(Reactor& reactor, std::function<void(Error)> on_failure)
    : reactor_(reactor), failures_are_separate_(true) {
  if (on_failure) on_failure_ = std::make_shared<const std::function<void(Error)>>(std::move(on_failure));
}

Scope::~Scope() {
  cancel();
  if (first_failure_) first_failure_->held.lose(first_failure_->error);
}

void Scope::spawn(Task<> task) { add(new detail::Spawned<void>(*this, std::move(task), nullptr)); }

void Scope::add(detail::SpawnedBase* spawned) {
  reactor_.check_thread();
  tasks_.push_back(spawned->member_);
  ++size_;
  ++reactor_.spawned_;
  reactor_.ready(*spawned);
}

void Scope::remove(detail::SpawnedBase& spawned) {
  spawned.member_.unlink();
  --size_;
  --reactor_.spawned_;
  if (tasks_.empty()) idle_.pulse();
}

// Destroying a task may cancel the scope again, or destroy it.
void Scope::cancel() {
  ListNode alive;
  watch_end(alive);
  while (alive.linked() && !tasks_.empty()) {
    detail::SpawnedBase* youngest = tasks_.back().task;
    delete youngest;
  }
}

void Scope::task_failed(Error error) {
  if (failures_are_separate_) return tell(std::move(error));
  if (first_failure_) {
    reactor_.report_unhandled(error);
  } else {
    first_failure_.emplace(reactor_, std::move(error));
  }
  cancel();
}

void Scope::tell(Error error) {
  Reactor& reactor = reactor_;
  const auto on_failure = on_failure_;  // keeps it alive while it runs, even if the scope ends
  if (!on_failure) return reactor.report_unhandled(error);
  auto call = [&] { (*on_failure)(std::move(error)); };
  if (std::optional<Error> thrown = detail::catching(call)) reactor.report_unhandled(*thrown);
}

Task<> Scope::join() {
  while (!tasks_.empty()) co_await idle_.wait();
  if (first_failure_) {
    Error failure = std::move(first_failure_->error);
    first_failure_.reset();
    co_await Error(std::move(failure));
  }
}

namespace detail {

// Runs once to start the task and, unless that finished it, once more when it has finished.
void SpawnedBase::run() {
  if (!started_) {
    started_ = true;
    start(scope_.reactor_);
  }
  if (!finished()) return;
  std::unique_ptr<SpawnedBase> self(this);
  Reactor& reactor = scope_.reactor_;
  ListNode scope_alive;
  scope_.watch_end(scope_alive);
  leave_scope();
  std::optional<Error> failure = settle(reactor);
  if (!failure) return;
  if (scope_alive.linked()) {
    scope_.task_failed(*std::move(failure));
  } else {
    reactor.report_unhandled(*failure);
  }
}

}  // namespace detail

}  // namespace escapement
