#include <escapement/core/reactor.h>

#include <algorithm>

#include <escapement/core/task.h>

namespace escapement {

Reactor::Reactor(Backend& backend, TimerQueue& timers)
    : backend_(backend), timers_(timers), now_(backend.now()) {}

Reactor::~Reactor() {
  Posted* posted = posted_.exchange(nullptr, std::memory_order_acquire);
  while (posted != nullptr) delete std::exchange(posted, posted->next);
}

void Reactor::on_unhandled_failure(std::function<void(const Error&)> handler) {
  on_unhandled_.reset();
  if (handler) {
    on_unhandled_ = std::make_shared<const std::function<void(const Error&)>>(std::move(handler));
  }
}

void Reactor::report_unhandled(const Error& error) noexcept {
  if (error == Errc::cancelled) return;
  const auto handler = on_unhandled_;  // stays while it runs, even if it sets another
  if (!handler) return detail::print_unhandled(error);
  auto call = [&] { (*handler)(error); };
  std::optional<Error> thrown = detail::catching(call);
  if (!thrown) return;
  detail::print_unhandled(error);
  detail::print_unhandled(*thrown);
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
  detail::RecyclePool::Use blocks(blocks_);
  turn(now_);
  if (anything_queued()) return now_;
  return std::max(now_, timers_.next());
}

bool Reactor::turn(Instant until) {
  const bool possible = backend_.wait(*this, until);
  now_ = std::max(now_, backend_.now());
  run_posted();
  const bool anything = watcher_ == nullptr ? run_queues() : (this->*run_queues_watched_)();
  return possible || anything;
}

// What is due already runs first: a burst of timers is taken out of the queue as fast as it runs.
void Reactor::collect_due() {
  if (due_.empty()) timers_.advance(now_, due_);
}

Runnable* Reactor::pop_queued(int& ready_left, int& due_left) {
  Runnable* runnable = next_.pop_front();
  if (runnable == nullptr && ready_left > 0 && !ready_.empty()) {
    --ready_left;
    runnable = ready_.pop_front();
  }
  if (runnable == nullptr && due_left > 0 && !due_.empty()) {
    --due_left;
    runnable = due_.pop_front();
  }
  return runnable;
}

bool Reactor::run_queues() {
  collect_due();
  const bool anything = anything_queued();
  int ready_left = budget;
  int due_left = budget;
  while (Runnable* runnable = pop_queued(ready_left, due_left)) runnable->run();
  return anything;
}

// A stack that any thread pushes onto and the reactor takes whole: no lock, and one wake-up for a batch.
void Reactor::push_posted(Posted* posted) {
  Posted* head = posted_.load(std::memory_order_relaxed);
  do {
    posted->next = head;
  } while (
      !posted_.compare_exchange_weak(head, posted, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (head == nullptr) backend_.wake();
}

void Reactor::run_posted() {
  if (posted_.load(std::memory_order_relaxed) == nullptr) return;
  Posted* taken = posted_.exchange(nullptr, std::memory_order_acquire);
  Posted* in_order = nullptr;
  while (taken != nullptr) {
    Posted* following = taken->next;
    taken->next = in_order;
    in_order = taken;
    taken = following;
  }
  while (in_order != nullptr) {
    Posted* following = in_order->next;
    auto call = [&] { in_order->call(); };
    if (std::optional<Error> thrown = detail::catching(call)) report_unhandled(*thrown);
    delete in_order;
    in_order = following;
  }
}

Random& Reactor::random() {
  if (!random_seeded_) {
    random_ = Random(backend_.entropy());
    random_seeded_ = true;
  }
  return random_;
}

}  // namespace escapement
