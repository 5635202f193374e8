// MemoryQueue: a queue in memory with its consumer, natively and in simulations.

#pragma once

#include <map>
#include <string>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/bindings/queue.h>

namespace escapement {

// The behaviour of a MemoryQueue: the settings of a consumer (max_batch_size and so on), and faults. All
// randomness is drawn from the reactor's generator.
class MemoryQueueOptions {
 public:
  std::string name = "queue";  // as its batches say
  std::size_t batch_max = 10;  // messages delivered together
  Duration batch_wait = 5s;    // the longest time for which a batch waits to become full
  int retries_max = 3;         // deliveries after the first; then `dead_letter` gets the message
  Duration retry_delay = {};   // before a message is delivered again, if its handler asks for none
  // Delivers one message in so many twice, as "at least once" allows. 0: none.
  std::uint64_t repeat_one_in = 0;
  // Called with each message that was never handled. Empty: it is dropped.
  std::function<void(QueueMessage)> dead_letter = nullptr;
};

// Delivers messages to `handler`, one batch at a time. Its failures are unhandled
// (Reactor::on_unhandled_failure), and its messages are delivered again.
class MemoryQueue final : public QueueProducer {
 public:
  // Starts the consumer. The reactor must outlive it.
  MemoryQueue(Reactor& reactor, QueueHandler handler, MemoryQueueOptions options = MemoryQueueOptions());

  Task<> send_all(std::vector<std::string> bodies, Duration delay = Duration()) override;

  // Returns the number of messages that were not handled yet.
  std::size_t size() const { return waiting_.size() + delivering_; }

 private:
  Task<> deliver();
  void settle(QueueBatch& batch, const Result<>& handled);
  SystemTime now() const { return reactor_.backend().system_now(); }

  Reactor& reactor_;
  QueueHandler handler_;
  MemoryQueueOptions options_;
  std::multimap<SystemTime, QueueMessage> waiting_;  // by when they may be delivered
  std::size_t delivering_ = 0;
  std::uint64_t last_id_ = 0;
  Event changed_;
  Scope consumer_;  // last: it uses the others
};

}  // namespace escapement
