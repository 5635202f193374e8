// ESC_QUEUE: a Worker's consumer of queues.
//
//     Task<> consume(QueueBatch& batch) { ... }  // io/bindings/queue.h
//     ESC_QUEUE(consume)
//
//     import { queues } from "./queues.mjs";
//     export default worker(module, { bindings: [queues] });  // has a `queue`
//
// Each batch has a context of its own, as a request does. A handler that fails fails the batch: the host
// delivers the messages again that it has not decided on.

#pragma once

#include <escapement/io/bindings/queue.h>
#include <escapement/wasm_glue/runtime.h>

namespace escapement::wasm {

// Runs a handler with the batch that JavaScript has packed. Yields the decisions on its messages.
Task<std::string> run_queue_batch(Task<> (*handler)(QueueBatch&), std::string packed);

}  // namespace escapement::wasm

// Exports `function`, a `Task<>(QueueBatch&)`, for all queues that the Worker consumes. At most one for each
// module.
#define ESC_QUEUE(function)                                                                                 \
  extern "C" ESC_EXPORT(esc_task_queue) double esc_task_queue(escapement::wasm::Context* context,           \
                                                              double now, char* text, std::size_t length) { \
    return escapement::wasm::run_for_host(*context, now, text, length, [](std::string packed) {             \
      return escapement::wasm::run_queue_batch(                                                             \
          [](escapement::QueueBatch& batch) -> escapement::Task<> { return function(batch); },              \
          std::move(packed));                                                                               \
    });                                                                                                     \
  }
