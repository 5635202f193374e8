#include <escapement/wasm_glue/runtime.h>

#include <cstdlib>
#include <new>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/room_for.h>

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

// A task that JS runs, and is told the outcome of. (A task around it would cost a small module more.)
class HostTask final : public escapement::detail::SpawnedBase {
 public:
  HostTask(Scope& scope, Task<std::string> task) : SpawnedBase(scope), task_(std::move(task)) {
    join_scope();
  }
  ~HostTask() override { leave_scope(); }

 private:
  bool advance(Reactor& reactor, std::optional<Error>&) override {
    if (!task_.started()) task_.start(reactor, *this);
    return task_.finished();
  }
  std::optional<Error> settle(Reactor&) override {
    const Result<std::string> result = task_.take();
    const bool ok = static_cast<bool>(result);
    const std::string text = ok ? std::string() : to_string(result.error());
    const std::string& said = ok ? *result : text;
    esc_host_resolve(ok ? 1 : 0, said.data(), said.size());
    return std::nullopt;
  }

  escapement::detail::ChildTask<std::string> task_;
};

char transfer[transfer_size];

bool trapped_for_memory = false;

void trap_for_memory() {
  trapped_for_memory = true;
  __builtin_trap();
}

}  // namespace

std::string take_text(char* text, std::size_t length) {
  std::string taken(text, text + length);
  if (text != transfer) std::free(text);
  return taken;
}

double run_for_host(Context& context, double now, char* text, std::size_t length,
                    Task<std::string> (*task)(std::string)) {
  new HostTask(context.scope(), task(take_text(text, length)));  // the scope owns it
  return context.step(now);
}

}  // namespace escapement::wasm

using escapement::wasm::Context;

extern "C" {

ESC_EXPORT(esc_transfer) char* esc_transfer() { return escapement::wasm::transfer; }

ESC_EXPORT(esc_alloc) void* esc_alloc(std::size_t length) {
  void* place = std::malloc(length == 0 ? 1 : length);
  if (place == nullptr || escapement::room_for(length + escapement::wasm::turn_room)) return place;
  std::free(place);
  return nullptr;
}

ESC_EXPORT(esc_open) Context* esc_open(double now) {
  std::set_new_handler(escapement::wasm::trap_for_memory);
  if (!escapement::room_for(sizeof(Context) + escapement::wasm::turn_room)) return nullptr;
  return new Context(escapement::wasm::imported_host(), now);
}

ESC_EXPORT(esc_out_of_memory) int esc_out_of_memory() { return escapement::wasm::trapped_for_memory ? 1 : 0; }

ESC_EXPORT(esc_close) void esc_close(Context* context) { delete context; }

ESC_EXPORT(esc_step) double esc_step(Context* context, double now) { return context->step(now); }

ESC_EXPORT(esc_cancel) int esc_cancel(Context* context) { return context->cancel() ? 1 : 0; }

}  // extern "C"
