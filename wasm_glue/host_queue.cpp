#include <escapement/wasm_glue/host_queue.h>

#include <escapement/wasm_glue/detail/host_call.h>

extern "C" {
// A list: the binding's name, the delay in seconds, the messages.
[[clang::import_module("escapement_queues"), clang::import_name("send")]]
void esc_queue_send(int id, const char* arguments, std::size_t length);
}

namespace escapement::wasm {

// The host counts in seconds: rounded up.
Task<> HostQueue::send_all(std::vector<std::string> bodies, Duration delay) {
  co_await check(bodies, delay);
  if (bodies.empty()) co_return;
  Packed arguments;
  arguments.add(name_).add_number((delay + Duration::nanoseconds(999'999'999)) / Duration(1s));
  for (const std::string& body : bodies) arguments.add(body);
  HostOutcome done = co_await host_call(esc_queue_send, std::move(arguments), timeout_);
}

}  // namespace escapement::wasm
