// A binding with one import, and tasks that use it.

#include <escapement/timers/timeout.h>
#include <escapement/wasm_glue/host_operation.h>
#include <escapement/wasm_glue/runtime.h>

using namespace escapement;

extern "C" {
[[clang::import_module("escapement_test"), clang::import_name("begin")]]
void esc_test_begin(int id, const char* text, std::size_t length);
}

namespace {

Task<std::string> operated(std::string text) {
  wasm::HostOperation operation(co_await this_reactor);
  esc_test_begin(operation.id(), text.data(), text.size());
  wasm::HostOutcome outcome = co_await operation.outcome();
  co_return std::to_string(outcome.status) + ' ' + outcome.bytes;
}

Task<std::string> dropped(std::string text) {
  co_return co_await with_timeout(20ms, operated(std::move(text)));
}

Task<std::string> trapped(std::string text) {
  co_await operated(std::move(text));
  __builtin_trap();
}

}  // namespace

ESC_TASK(trapped)
ESC_TASK(operated)
ESC_TASK(dropped)
