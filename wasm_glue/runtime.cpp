#include <escapement/wasm_glue/runtime.h>

#include <cstdlib>

namespace escapement::wasm {

namespace {

class ImportedHost final : public Host {
 public:
  double now() override { return esc_host_now(); }
  double wall() override { return esc_host_wall(); }
  double random() override { return esc_host_random(); }
};

// Stateless: the imports know which context is current.
ImportedHost& imported_host() {
  static ImportedHost host;
  return host;
}

Task<> report(Task<std::string> task) {
  Result<std::string> result = co_await std::move(task).result();
  const bool ok = static_cast<bool>(result);
  const std::string text = ok ? *std::move(result) : to_string(result.error());
  esc_host_settle(ok ? 1 : 0, text.data(), text.size());
}

}  // namespace

std::string take_text(char* text, std::size_t length) {
  std::string taken(text, length);
  std::free(text);
  return taken;
}

void run_for_host(Context& context, Task<std::string> task) {
  context.scope().spawn(report(std::move(task)));
}

}  // namespace escapement::wasm

using escapement::wasm::Context;

extern "C" {

ESC_EXPORT(esc_alloc) void* esc_alloc(std::size_t length) { return std::malloc(length == 0 ? 1 : length); }

ESC_EXPORT(esc_open) Context* esc_open() { return new Context(escapement::wasm::imported_host()); }

ESC_EXPORT(esc_close) void esc_close(Context* context) { delete context; }

ESC_EXPORT(esc_step) double esc_step(Context* context) { return context->step(); }

ESC_EXPORT(esc_cancel) void esc_cancel(Context* context) { context->cancel(); }

}  // extern "C"
