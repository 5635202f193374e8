// ESC_SCHEDULED and ESC_TAIL: a Worker's handlers of cron triggers and of other Workers' traces, beside the
// ESC_WORKER or without one.
//
//     Task<> clean(wasm::Scheduled event) {
//       Reactor& reactor = co_await this_reactor;
//       co_await remove_older_than(event.time, *wasm::env(reactor, "STORE"));
//     }
//     ESC_SCHEDULED(clean)
//
//     import { events } from "./events.mjs";
//     export default worker(module, { bindings: [events] });
//
// In CMake: escapement_add_worker(app app.cpp BINDINGS events).
//
// A handler that fails, or traps, fails the event: the host logs it. It is cancelled when the host drops the
// event (15 minutes for a cron trigger, at this writing). Tasks of wasm::wait_until are waited for.
//
// https://developers.cloudflare.com/workers/runtime-apis/handlers/

#pragma once

#include <string>

#include <escapement/core/system_time.h>
#include <escapement/core/task.h>
#include <escapement/wasm_glue/runtime.h>

namespace escapement::wasm {

// A cron trigger.
struct Scheduled {
  std::string cron;  // its expression, as configured: "*/5 * * * *"; empty if the host gave none
  SystemTime time;   // for which it was scheduled, to the millisecond; the present may be later
};

// Runs the handlers of ESC_SCHEDULED and ESC_TAIL with the text that JavaScript passes in.
Task<std::string> run_scheduled(Task<> (*handler)(Scheduled), std::string text);
Task<std::string> run_tail(Task<> (*handler)(std::string), std::string traces);

}  // namespace escapement::wasm

// Exports `handler`, a `Task<>(wasm::Scheduled)`, for all cron triggers of the Worker. At most one for each
// module.
#define ESC_SCHEDULED(handler)                                                                               \
  extern "C" ESC_EXPORT(esc_task_scheduled) double esc_task_scheduled(                                       \
      escapement::wasm::Context* context, double now, char* text, std::size_t length) {                      \
    return escapement::wasm::run_for_host(*context, now, text, length, [](std::string input) {               \
      return escapement::wasm::run_scheduled(                                                                \
          [](escapement::wasm::Scheduled event) -> escapement::Task<> { return handler(std::move(event)); }, \
          std::move(input));                                                                                 \
    });                                                                                                      \
  }

// Exports `handler`, a `Task<>(std::string)`, for the traces of the Workers that this one is the tail of: a
// JSON array as the host makes it. At most one for each module.
#define ESC_TAIL(handler)                                                                                   \
  extern "C" ESC_EXPORT(esc_task_tail) double esc_task_tail(escapement::wasm::Context* context, double now, \
                                                            char* text, std::size_t length) {               \
    return escapement::wasm::run_for_host(*context, now, text, length, [](std::string input) {              \
      return escapement::wasm::run_tail(                                                                    \
          [](std::string traces) -> escapement::Task<> { return handler(std::move(traces)); },              \
          std::move(input));                                                                                \
    });                                                                                                     \
  }
