#include <escapement/wasm_glue/runtime.h>

#include <cstdlib>
#include <new>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/room.h>

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

void settle(const Result<std::string>& result) {
  const bool ok = static_cast<bool>(result);
  const std::string text = ok ? std::string() : to_string(result.error());
  const std::string& said = ok ? *result : text;
  esc_host_resolve(ok ? 1 : 0, said.data(), said.size());
}

Task<> report(Task<std::string> task) {
  const Result<std::string> result = co_await std::move(task).result();
  settle(result);
}

// Beside a text that JS passes in there has to be room for its copy, and for what its turn begins with.
constexpr std::size_t turn_room = 64 * KiB;

bool trapped_for_memory = false;

void trap_for_memory() {
  trapped_for_memory = true;
  __builtin_trap();
}

}  // namespace

Result<std::string> take_text(char* text, std::size_t length) {
  if (text == nullptr) return Error::out_of_memory();
  std::string taken(text, length);
  std::free(text);
  return taken;
}

void run_for_host(Context& context, Result<std::string> input, Task<std::string> (*task)(std::string)) {
  if (!input) return settle(input);
  context.scope().spawn(report(task(*std::move(input))));
}

}  // namespace escapement::wasm

using escapement::wasm::Context;

extern "C" {

ESC_EXPORT(esc_alloc) void* esc_alloc(std::size_t length) {
  void* place = std::malloc(length == 0 ? 1 : length);
  if (place == nullptr || escapement::room_for(length + escapement::wasm::turn_room)) return place;
  std::free(place);
  return nullptr;
}

ESC_EXPORT(esc_open) Context* esc_open() {
  std::set_new_handler(escapement::wasm::trap_for_memory);
  if (!escapement::room_for(sizeof(Context) + escapement::wasm::turn_room)) return nullptr;
  return new Context(escapement::wasm::imported_host());
}

ESC_EXPORT(esc_out_of_memory) int esc_out_of_memory() { return escapement::wasm::trapped_for_memory ? 1 : 0; }

ESC_EXPORT(esc_close) void esc_close(Context* context) { delete context; }

ESC_EXPORT(esc_step) double esc_step(Context* context) { return context == nullptr ? -2 : context->step(); }

ESC_EXPORT(esc_cancel) void esc_cancel(Context* context) { context->cancel(); }

}  // extern "C"
