// host_call: one operation of a binding, from its import to its outcome.

#pragma once

#include <escapement/wasm_glue/detail/packed.h>
#include <escapement/wasm_glue/host_operation.h>

namespace escapement::wasm {

// An import that begins operation `id` with a list of arguments.
using HostImport = void(int id, const char* arguments, std::size_t length);

// Calls `import`, and waits for the outcome, as HostOperation::outcome does.
inline Task<HostOutcome> host_call(HostImport* import, Packed arguments, Duration limit) {
  HostOperation operation(co_await this_reactor);
  import(operation.id(), arguments.data(), arguments.size());
  HostOutcome outcome = co_await operation.outcome(limit);
  co_return std::move(outcome);
}

}  // namespace escapement::wasm
