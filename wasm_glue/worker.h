// ESC_WORKER: exports an http::Service as a Worker's fetch handler.
//
//     ESC_WORKER(http::layered(http::Timeout{10s}, hello))
//     ESC_WORKER(hello, {.body_idle = 5s})
//
//     import { worker } from "./escapement.mjs";
//     import module from "./app.wasm";
//     export default worker(module);

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <escapement/io/http/service.h>
#include <escapement/wasm_glue/runtime.h>

namespace escapement::wasm {

// As in http::ServerOptions. Each is finite by default; Duration::max() is none.
struct WorkerOptions {
  // The longest time between two pieces of the request body. If the handler fails by it: 408.
  Duration body_idle = 30s;
  // The longest time in which the reader of a streaming response does not ask for more. The response breaks
  // off. (Not for a body that is passed on: the host's own streams carry it.)
  Duration write_stall = 30s;
};

// The service and options of ESC_WORKER's arguments.
class Worker {
 public:
  explicit Worker(http::Service service, WorkerOptions options = WorkerOptions())
      : service_(std::move(service)), options_(options) {}

  // Responds to a request (esc_request in abi.h). It must outlive the context's tasks.
  void begin(Context& context, int method, std::string text, bool has_body) const;

 private:
  http::Service service_;
  WorkerOptions options_;
};

// Lets `task` go on after the response was sent: asks the host to wait for it (waitUntil; Workers give it 30
// s). It is cancelled early when the client disconnects. Its failure is reported (console.error, onError).
void wait_until(Reactor& reactor, Task<> task);

// Returns a string variable of the Worker's env object; nullopt if there is none. Valid while its request is
// being handled, and in a task that wait_until keeps.
std::optional<std::string> env(Reactor& reactor, std::string_view name);

}  // namespace escapement::wasm

// The service is made at the first request and kept as long as the instance: it may hold plain data across
// requests, but no stream, timer or task of one.
#define ESC_WORKER(...)                                                                                 \
  extern "C" ESC_EXPORT(esc_request) double esc_request(escapement::wasm::Context* context, double now, \
                                                        int method, char* text, std::size_t length,     \
                                                        int has_body) {                                 \
    static const escapement::wasm::Worker worker{__VA_ARGS__};                                          \
    worker.begin(*context, method, escapement::wasm::take_text(text, length), has_body != 0);           \
    return context->step(now);                                                                          \
  }
