// A client with limits, retries and redirects, as a task: tools/wasm_size.mjs weighs it.
//
//     import { run } from "./escapement.mjs";
//     console.log(await run(module, "get", "https://example.com/"));

#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/wasm_glue/host_fetch.h>
#include <escapement/wasm_glue/runtime.h>

using namespace escapement;

// Returns the body at `url`.
Task<std::string> get(std::string url) {
  const http::Service client = http::layered(http::Timeout{10s}, http::Redirect{}, http::Retry{},
                                             http::Timeout{2s}, wasm::HostFetch());
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await client(std::move(request));
  std::string body = co_await response.body.text(1 * MiB);
  co_return std::move(body);
}

ESC_TASK(get)
