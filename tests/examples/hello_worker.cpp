// The smallest Worker that answers: tools/wasm_size.mjs weighs it.

#include <escapement/io/http/service.h>
#include <escapement/wasm_glue/worker.h>

using namespace escapement;

Task<http::Response> hello(http::Request) { co_return http::Response(200, "hello\n"); }

ESC_WORKER(hello)
