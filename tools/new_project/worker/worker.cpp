// The WebAssembly module's entry; worker.mjs is its other half.

#include <escapement/middleware/limits/timeout.h>
#include <escapement/wasm_glue/host_fetch.h>
#include <escapement/wasm_glue/worker.h>

#include "app.h"

using namespace escapement;

static Task<http::Response> entry(http::Request request) {
  co_return co_await handle(std::move(request), wasm::HostFetch());
}

ESC_WORKER(http::layered(http::Timeout{5s}, entry))
