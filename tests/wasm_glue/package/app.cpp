#include <escapement/middleware/server/router.h>
#include <escapement/wasm_glue/worker.h>

using namespace escapement;

Task<http::Response> hello(http::Request) { co_return http::Response(200, "hello"); }

ESC_WORKER(*http::Router::make({{"GET", "/hello", hello}}))
