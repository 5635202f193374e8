// HostQueue: the sending side of a Worker's queue, as a QueueProducer.
//
//     wasm::HostQueue jobs("JOBS");  // the binding's name
//     co_await jobs.send("resize 17", 30s);
//
//     import { queues } from "./queues.mjs";
//     export default worker(module, { bindings: [queues] });
//
// Messages are sent as text where they are UTF-8, else as bytes. ESC_QUEUE (queue_events.h) receives both.

#pragma once

#include <string>

#include <escapement/io/bindings/queue.h>

namespace escapement::wasm {

// Fails as QueueProducer says, with invalid_argument also if the Worker has no queue of that name, with
// timed_out after `timeout`, and with `reset` and the host's text for everything else.
class HostQueue final : public QueueProducer {
 public:
  // `name` is the binding's, in the Worker's env. Each operation may take `timeout`.
  explicit HostQueue(std::string name, Duration timeout = 30s) : name_(std::move(name)), timeout_(timeout) {}

  Task<> send_all(std::vector<std::string> bodies, Duration delay = Duration()) override;

 private:
  std::string name_;
  Duration timeout_;
};

}  // namespace escapement::wasm
