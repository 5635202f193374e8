#include <escapement/core/reactor.h>

#include <algorithm>

namespace escapement {

void TimerEntry::arm(TimerQueue& queue, Instant deadline, Runnable& target) {
  disarm();
  deadline_ = deadline;
  target_ = &target;
  queue_ = &queue;
  queue.insert(*this);
}

void TimerEntry::disarm() {
  if (queue_ == nullptr) return;
  queue_->remove(*this);
  queue_ = nullptr;
}

Reactor::Reactor(Backend& backend, TimerQueue& timers)
    : backend_(backend), timers_(timers), now_(backend.now()) {}

Reactor::~Reactor() {
  Posted* posted = posted_.exchange(nullptr, std::memory_order_acquire);
  while (posted != nullptr) delete std::exchange(posted, posted->next);
}

Instant Reactor::precise_now() { return std::max(now_, backend_.now()); }

Instant Reactor::step() {
  detail::FramePool::Use frames(frames_);
  turn(now_);
  if (anything_queued()) return now_;
  return std::max(now_, timers_.next());
}

bool Reactor::turn(Instant until) {
  const bool possible = backend_.wait(*this, until);
  now_ = std::max(now_, backend_.now());
  run_posted();
  timers_.advance(now_, due_);
  const bool anything = anything_queued();
  run_queues();
  return possible || anything;
}

void Reactor::run_queues() {
  int ready_left = budget;
  int due_left = budget;
  for (;;) {
    Runnable* runnable = next_.pop_front();
    if (runnable == nullptr && ready_left > 0 && !ready_.empty()) {
      --ready_left;
      runnable = ready_.pop_front();
    }
    if (runnable == nullptr && due_left > 0 && !due_.empty()) {
      --due_left;
      runnable = due_.pop_front();
    }
    if (runnable == nullptr) return;
    runnable->run();
  }
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
    in_order->call();
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
