#include <escapement/core/scope.h>

#include <escapement/core/detail/task_locals.h>

namespace escapement {

Scope::Scope(Reactor& reactor) : reactor_(reactor), task_failed_(cancel_others) {}

Scope::Scope(Reactor& reactor, std::nullptr_t) : reactor_(reactor), task_failed_(report) {}

Scope::Scope(Reactor& reactor, std::function<void(Error)> on_failure) : Scope(reactor, nullptr) {
  if (!on_failure) return;
  on_failure_ = std::make_shared<const std::function<void(Error)>>(std::move(on_failure));
  task_failed_ = tell;
}

Scope::~Scope() {
  cancel();
  if (first_failure_) first_failure_->held.lose(first_failure_->error);
}

void Scope::spawn(Task<> task) { add(new detail::SpawnedTask(*this, std::move(task))); }

void Scope::add(detail::SpawnedBase* spawned) {
  reactor_.check_thread();
  if (reactor_.locals_ != nullptr) reactor_.locals_->spawned(*spawned);
  tasks_.push_back(*spawned);
  ++size_;
  ++reactor_.spawned_;
  reactor_.ready(*spawned);
}

void Scope::remove(detail::SpawnedBase& spawned) {
  static_cast<detail::ScopeMember&>(spawned).unlink();
  --size_;
  --reactor_.spawned_;
  if (reactor_.locals_ != nullptr) reactor_.locals_->ended(spawned);
  if (tasks_.empty()) idle_.pulse();
}

void Scope::visit_tasks(const void* scope, detail::TaskVisitor& visitor) {
  for (const detail::ScopeMember& member : static_cast<const Scope*>(scope)->tasks_) {
    static_cast<const detail::SpawnedBase&>(member).visit(visitor);
  }
}

// Destroying a task may cancel the scope again, or destroy it.
void Scope::cancel() {
  ListNode alive;
  watch_end(alive);
  while (alive.linked() && !tasks_.empty()) {
    delete &static_cast<detail::SpawnedBase&>(tasks_.back());
  }
}

void Scope::cancel(Error reason) {
  if (tasks_.empty()) return;
  const Error error = Error::cancelled(std::move(reason));
  if (!first_failure_) first_failure_.emplace(reactor_, detail::copy_if_possible(error));
  ListNode alive;
  watch_end(alive);
  while (alive.linked() && !tasks_.empty()) {
    static_cast<detail::SpawnedBase&>(tasks_.back()).cancel_with(error);
  }
}

namespace {

Error cancelled_by(const Error& failure) {
  Error cancelled = Error::cancelled();
  auto take_reason = [&] { cancelled = Error::cancelled(failure); };
  (void)detail::catching(take_reason);  // without memory there is no reason
  return cancelled;
}

}  // namespace

void Scope::cancel_others(Scope& scope, Error error) {
  Error cancelled = scope.tasks_.empty() ? Error::cancelled() : cancelled_by(error);
  if (scope.first_failure_) {
    scope.reactor_.report_unhandled(error);
  } else {
    scope.first_failure_.emplace(scope.reactor_, std::move(error));
  }
  scope.cancel(std::move(cancelled));
}

void Scope::report(Scope& scope, Error error) { scope.reactor_.report_unhandled(error); }

void Scope::tell(Scope& scope, Error error) {
  Reactor& reactor = scope.reactor_;
  const auto on_failure = scope.on_failure_;  // keeps it alive while it runs, even if the scope ends
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

void SpawnedBase::cancel_with(const Error&) { delete this; }

const Runnable* SpawnedBase::awaited_by(std::shared_ptr<const LocalValues>& found) const {
  const TaskLocals* locals = TaskLocals::of(scope_.reactor_);
  if (locals != nullptr) found = locals->inherited(*this);
  return nullptr;
}

Error copy_if_possible(const Error& cancelled) noexcept {
  Error copied = Error::cancelled();
  auto copy = [&] { copied = cancelled; };
  (void)catching(copy);
  return copied;
}

// Runs once to start the task and, unless that finished it, once more when it has finished.
void SpawnedBase::run() {
  Scope& scope = scope_;
  Reactor& reactor = scope.reactor_;
  std::optional<Error> failure;
  if (!advance(reactor, failure)) return;
  std::unique_ptr<SpawnedBase> self(this);
  ListNode scope_alive;
  scope.watch_end(scope_alive);
  leave_scope();
  if (!failure) failure = settle(reactor);
  self.reset();  // a failure is reported when everything that it passed is gone
  if (!failure) return;
  if (scope_alive.linked()) {
    scope.task_failed_(scope, *std::move(failure));
  } else {
    reactor.report_unhandled(*failure);
  }
}

// Checks that the function has not destroyed this object, by cancelling the scope: then it has left the list.
std::optional<Error> SpawnedTask::call_make() {
  List<Runnable> alive;
  alive.push_back(*this);
  Task<> made = Task<>::none();
  auto call = [&] { made = make(); };
  std::optional<Error> failure = catching(call);
  ESC_CHECK(!alive.empty(), "a task was destroyed from inside itself: by cancelling, or ending, its scope?");
  if (!failure) task_ = std::move(made);
  return failure;
}

bool SpawnedTask::advance(Reactor& reactor, std::optional<Error>& failure) {
  if (!task_) failure = call_make();
  if (failure) return true;
  Promise<void>& promise = task_.promise();
  if (!promise.started() && !promise.start(reactor)) promise.set_continuation(*this, false);
  return promise.finished();
}

std::optional<Error> SpawnedTask::settle(Reactor&) {
  Task<> finished = std::move(task_);
  if (!finished.promise().failed()) return std::nullopt;
  return finished.promise().take_error();
}

}  // namespace detail

}  // namespace escapement
