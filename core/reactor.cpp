#include <escapement/core/reactor.h>

#include <algorithm>

#include <escapement/core/detail/task_locals.h>
#include <escapement/core/detail/turn.h>
#include <escapement/core/task.h>

namespace escapement {

const Runnable* Runnable::awaited_by(std::shared_ptr<const detail::LocalValues>&) const { return nullptr; }

Reactor::Reactor(Backend& backend, TimerQueue& timers)
    : backend_(backend), timers_(timers), now_(backend.now()) {}

Reactor::~Reactor() {
  ESC_CHECK(running_on_ == nullptr, "a reactor was destroyed by one of its tasks");
  ESC_CHECK(spawned_ == 0,
            "a reactor was destroyed before the tasks of a Scope: destroy or cancel the scope first");
  if (close_remote_ != nullptr) close_remote_(*remote_);
  drop_posted();
  delete locals_;
}

void Reactor::report_unhandled(const Error& error) noexcept {
  if (error == Errc::cancelled) return;
  report_(*this, error);
}

namespace detail {

HeldFailure::HeldFailure(Reactor& reactor) : reactor_(reactor) { reactor.held_failures_.push_back(*this); }

void HeldFailure::lose(const Error& error) noexcept {
  if (linked()) {
    reactor_.report_unhandled(error);
  } else if (error != Errc::cancelled) {
    print_unhandled(error);
  }
}

}  // namespace detail

Instant Reactor::precise_now() { return std::max(now_, backend_.now()); }

Instant Reactor::step() {
  Running running(*this);
  turn(now_);
  if (anything_queued()) return now_;
  return std::max(now_, next_deadline());
}

Reactor::Running::Running(Reactor& reactor) : reactor_(reactor), blocks_(reactor.blocks_) {
  ESC_CHECK(reactor.running_on_ == nullptr,
            "run() or step() of a reactor that runs already: inside a task use co_await; one thread runs it");
  reactor.running_on_.store(detail::FramePool::this_thread(), std::memory_order_relaxed);
}

Reactor::RunLoop::RunLoop(Reactor& reactor) : reactor_(reactor), running_(reactor) {
  reactor.now_ = reactor.precise_now();
  reactor.starved_ = 0;
}

std::optional<Error> Reactor::RunLoop::turns() {
  std::optional<Error> failure;
  auto take_turns = [&] {
    while (!ended_ && !failure) failure = turn();
  };
  std::optional<Error> thrown = detail::catching(take_turns);  // thrown by code that is not a coroutine
  return thrown ? std::move(thrown) : std::move(failure);
}

std::optional<Error> Reactor::RunLoop::turn() {
  const bool possible = reactor_.turn(reactor_.anything_queued() ? reactor_.now_ : reactor_.next_deadline());
  constexpr int tries = 1000;
  if (reactor_.starved_ >= tries) return Error::out_of_memory();
  if (possible || reactor_.next_deadline() != Instant::never()) return std::nullopt;
  return Error(Errc::internal, "stalled: every task waits and nothing is scheduled");
}

bool Reactor::turn(Instant until) {
  const bool possible = backend_.wait(*this, until);
  now_ = std::max(now_, backend_.now());
  run_posted();
  const bool anything = run_queues_otherwise_ == nullptr ? run_queues() : (this->*run_queues_otherwise_)();
  return possible || anything;
}

// Does nothing while due entries are left to run: a burst of timers leaves the queue no faster than it runs.
// Without memory the rest of them stays for the next turn.
void Reactor::collect_due() {
  if (!due_.empty()) return;
  auto advance = [this] { timers_.advance(now_, due_); };
  starved_ = detail::catching(advance) ? starved_ + 1 : 0;
}

// Returns the current time if there is no memory to find the next deadline: it may be now.
Instant Reactor::next_deadline() {
  Instant next = now_;
  auto look = [&] { next = timers_.next(); };
  if (detail::catching(look)) ++starved_;
  return next;
}

bool Reactor::look(detail::Looks& looks, Instant end) {
  const bool over = precise_now() >= end;
  looks.looked(over);
  return over;
}

bool Reactor::run_queues() {
  collect_due();
  const bool anything = anything_queued();
  run_batches([](Runnable& runnable) { runnable.run(); });
  return anything;
}

void Reactor::ready_later(Runnable& runnable) {
  if (!runnable.linked()) yielded_.push_back(runnable);
}

// Pushes onto a stack that any thread may push to and that the reactor takes as a whole: no lock, and one
// wake-up for a batch.
void Reactor::push_posted(Posted* posted) {
  Posted* head = posted_.load(std::memory_order_relaxed);
  do {
    posted->next = head;
  } while (
      !posted_.compare_exchange_weak(head, posted, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (head == nullptr) backend_.wake();
}

void Reactor::run_posted() {
  if (taken_ == nullptr) {
    if (posted_.load(std::memory_order_relaxed) == nullptr) return;
    Posted* last = posted_.exchange(nullptr, std::memory_order_acquire);
    while (last != nullptr) {
      Posted* before = std::exchange(last->next, taken_);
      taken_ = std::exchange(last, before);
    }
  }
  for (int left = budget; left > 0 && taken_ != nullptr; --left) {
    Posted* first = std::exchange(taken_, taken_->next);
    auto call = [&] { first->call(); };
    if (std::optional<Error> thrown = detail::catching(call)) report_unhandled(*thrown);
    first->release();
    if (looks_over(looks_, now_ + share)) return;
  }
}

void Reactor::drop_posted() {
  while (taken_ != nullptr) std::exchange(taken_, taken_->next)->release();
  taken_ = posted_.exchange(nullptr, std::memory_order_acquire);
  if (taken_ != nullptr) drop_posted();  // a destructor may post
}

Random& Reactor::random() {
  if (!random_seeded_) {
    random_ = Random(backend_.entropy());
    random_seeded_ = true;
  }
  return random_;
}

}  // namespace escapement
