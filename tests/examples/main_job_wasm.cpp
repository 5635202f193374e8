// The main job in a JavaScript host: as a task that Node or a browser's Worker runs, and as the fetch handler
// of a Cloudflare Worker that responds to /main-job?base=URL with its report.

#include <escapement/wasm_glue/host_fetch.h>
#include <escapement/wasm_glue/runtime.h>
#include <escapement/wasm_glue/worker.h>

#include "echo_service.h"
#include "main_job.h"

using namespace escapement;

namespace {

Task<std::string> main_job(std::string base) {
  http::Service transport = wasm::HostFetch();
  co_return co_await demo::main_job(transport, std::move(base));
}

Task<http::Response> handle(http::Request request) {
  if (request.url.path() != "/main-job") co_return co_await demo::echo_service(std::move(request));
  std::string report = co_await main_job(request.url.query_parameter("base"));
  co_return http::Response(200, std::move(report));
}

}  // namespace

ESC_TASK(main_job)
ESC_WORKER(handle)
