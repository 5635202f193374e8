// A Cloudflare Worker; worker.mjs is its other half.

#include <escapement/io/http/service.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/host_fetch.h>
#include <escapement/wasm_glue/worker.h>

using namespace escapement;

// [worker]
Task<http::Response> relay(http::Request request) {
  const std::string origin = request.url.query_parameter("origin");
  co_await sleep(5ms);
  http::Request forwarded("GET", co_await http::Url::parse(origin));
  http::Response response = co_await wasm::HostFetch()(std::move(forwarded));
  response.headers.set("X-Relayed-By", "escapement");
  co_return std::move(response);
}

ESC_WORKER(http::layered(http::Timeout{250ms}, relay))
// [worker]
