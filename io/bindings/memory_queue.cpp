#include <escapement/io/bindings/memory_queue.h>

#include <algorithm>
#include <utility>

#include <escapement/timers/timeout.h>

namespace escapement {

namespace {

// The wall clock has cut off a fraction of a millisecond, which is added: never early.
SystemTime after(SystemTime now, Duration delay) { return delay > Duration() ? now + (delay + 1ms) : now; }

}  // namespace

MemoryQueue::MemoryQueue(Reactor& reactor, QueueHandler handler, MemoryQueueOptions options)
    : reactor_(reactor),
      handler_(std::move(handler)),
      options_(std::move(options)),
      consumer_(reactor, nullptr) {
  consumer_.spawn(deliver());
}

Task<> MemoryQueue::send_all(std::vector<std::string> bodies, Duration delay) {
  co_await check(bodies, delay);
  for (std::string& body : bodies) {
    QueueMessage message;
    message.id = std::to_string(++last_id_);
    message.sent = now();
    message.body = std::move(body);
    waiting_.emplace(after(now(), delay), std::move(message));
  }
  changed_.pulse();
}

Task<> MemoryQueue::deliver() {
  for (;;) {
    while (waiting_.empty()) co_await changed_.wait();
    const SystemTime first = waiting_.begin()->first;
    const bool full =
        waiting_.size() >= options_.batch_max &&
        std::next(waiting_.begin(), static_cast<std::ptrdiff_t>(options_.batch_max - 1))->first <= now();
    const Duration left = first + options_.batch_wait - now();
    if (!full && left > Duration()) {
      Result<> changed = co_await with_timeout(left, changed_.wait()).result();
      continue;
    }
    QueueBatch batch(options_.name);
    while (batch.messages.size() < options_.batch_max && !waiting_.empty() &&
           waiting_.begin()->first <= now()) {
      batch.messages.push_back(std::move(waiting_.extract(waiting_.begin()).mapped()));
    }
    delivering_ = batch.messages.size();
    Result<> handled = co_await handler_(batch).result();
    delivering_ = 0;
    if (!handled) reactor_.report_unhandled(handled.error());
    settle(batch, handled);
  }
}

void MemoryQueue::settle(QueueBatch& batch, const Result<>& handled) {
  for (std::size_t i = 0; i < batch.messages.size(); ++i) {
    QueueBatch::Outcome outcome = batch.outcome(i);
    if (outcome == QueueBatch::Outcome::open) {
      outcome = handled ? QueueBatch::Outcome::handled : QueueBatch::Outcome::again;
    }
    QueueMessage& message = batch.messages[i];
    const bool repeats = reactor_.random().one_in(options_.repeat_one_in);
    if (outcome == QueueBatch::Outcome::handled && !repeats) continue;
    if (message.attempts > options_.retries_max) {
      if (outcome == QueueBatch::Outcome::again && options_.dead_letter)
        options_.dead_letter(std::move(message));
      continue;
    }
    ++message.attempts;
    const Duration delay = std::max(batch.delay(i), options_.retry_delay);
    waiting_.emplace(after(now(), delay), std::move(message));
  }
}

}  // namespace escapement
