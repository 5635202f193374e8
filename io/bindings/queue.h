// Queues: messages that are handed to a consumer in batches, at least once, with delays and retries.
//
//     co_await producer.send("resize 17", 30s);
//
//     Task<> consume(QueueBatch& batch) {
//       for (std::size_t i = 0; i < batch.messages.size(); ++i) {
//         Result<> done = co_await resize(batch.messages[i].body).result();
//         if (!done) batch.retry(i, 60s);
//       }
//     }
//
// In a Worker the producer is HostQueue and the consumer ESC_QUEUE's (wasm_glue/host_queue.h,
// queue_events.h); natively and in simulations MemoryQueue (memory_queue.h) is both.
//
// Source: https://developers.cloudflare.com/queues/configuration/javascript-apis/

#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/check.h>
#include <escapement/core/system_time.h>
#include <escapement/core/task.h>

namespace escapement {

// A message as it is received.
class QueueMessage {
 public:
  std::string id;    // the same each time that the message is delivered: an idempotency key
  SystemTime sent;   // when the queue has received it
  int attempts = 1;  // deliveries, this one included
  std::string body;  // as it was sent
};

// Messages that are delivered together. A handler that returns has handled all of them but those that it
// wants again; one that fails gets all of them again that it has not acknowledged.
class QueueBatch {
 public:
  // The decision on one message.
  enum class Outcome { open, handled, again };

  // Makes a batch without messages, of the queue `name`.
  explicit QueueBatch(std::string name) : queue(std::move(name)) {}

  // Notes that message `i` was handled, whatever becomes of the others.
  void acknowledge(std::size_t i) { decide(i, Outcome::handled, Duration()); }
  // Wants message `i` delivered again, no earlier than `delay` from now (at most 12 h).
  void retry(std::size_t i, Duration delay = Duration()) { decide(i, Outcome::again, delay); }

  // Returns what was decided on message `i`.
  Outcome outcome(std::size_t i) const { return i < outcomes_.size() ? outcomes_[i].outcome : Outcome::open; }
  // Returns the delay that was asked for with a retry.
  Duration delay(std::size_t i) const { return i < outcomes_.size() ? outcomes_[i].delay : Duration(); }

  std::string queue;                   // the queue's name
  std::vector<QueueMessage> messages;  // in no particular order

 private:
  struct Decision {
    Outcome outcome = Outcome::open;
    Duration delay;
  };
  void decide(std::size_t i, Outcome outcome, Duration delay) {
    ESC_CHECK(i < messages.size(), "a QueueBatch has no such message");
    if (outcomes_.size() <= i) outcomes_.resize(messages.size());
    outcomes_[i].outcome = outcome;
    outcomes_[i].delay = delay;
  }

  std::vector<Decision> outcomes_;
};

// A consumer. The batch outlives the task.
using QueueHandler = std::function<Task<>(QueueBatch&)>;

// The sending side of a queue. Fails with limit_exceeded (a message of more than 128 KB, more than 100 at
// once), invalid_argument (a negative delay or one of more than 12 h), unavailable, and reset: sent or not,
// send it again. Must outlive the tasks.
class QueueProducer {
 public:
  static constexpr std::size_t body_bytes_max = 128 * 1000;  // of a message
  static constexpr std::size_t batch_max = 100;              // messages at once
  static constexpr Duration delay_max = 12h;                 // of a message

  virtual ~QueueProducer() = default;

  // Sends messages, to be delivered no earlier than `delay` from now.
  virtual Task<> send_all(std::vector<std::string> bodies, Duration delay = Duration()) = 0;
  // Sends one.
  Task<> send(std::string body, Duration delay = Duration()) {
    std::vector<std::string> bodies;
    bodies.push_back(std::move(body));
    return send_all(std::move(bodies), delay);
  }

 protected:
  // Checks the arguments, for implementations.
  static Result<> check(const std::vector<std::string>& bodies, Duration delay);
};

}  // namespace escapement
