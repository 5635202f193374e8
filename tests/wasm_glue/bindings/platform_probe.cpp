// D1, the Cache API, service bindings, request.cf and JSON variables, on the host's implementations.

#include <escapement/io/bindings/request_cf.h>
#include <escapement/middleware/cache/response_cache_store.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/wasm_glue/host_fetch_cf.h>
#include <escapement/wasm_glue/host_json.h>
#include <escapement/wasm_glue/host_response_cache.h>
#include <escapement/wasm_glue/host_service.h>
#include <escapement/wasm_glue/host_sql_database.h>
#include <escapement/wasm_glue/worker.h>

#include "support/cache_store_contract.h"
#include "support/platform_contracts.h"

using namespace escapement;

namespace {

Task<std::string> sql_contract(std::string name) {
  wasm::HostSqlDatabase database(std::move(name));
  co_return co_await test::sql_contract(database);
}

Task<std::string> cache_contract(std::string name) {
  wasm::HostResponseCache cache(std::move(name));
  co_return co_await test::cache_contract(cache);
}

// The layer Cache on the cache `name`.
Task<std::string> cache_store_contract(std::string name) {
  auto cache = std::make_shared<wasm::HostResponseCache>(std::move(name));
  auto store = std::make_shared<http::ResponseCacheStore>(std::move(cache));
  co_return co_await test::cache_store_contract(std::move(store));
}

Task<std::string> json_contract(std::string name) { co_return test::json_contract(wasm::json_env(name)); }

Task<std::string> json_at(std::string name) { co_return wasm::json_env(name).json("").value_or("nothing"); }

Task<http::Response> cf() {
  const RequestCf cf(wasm::host_cf());
  std::string text = cf.colo().value_or("-") + ' ' + cf.country().value_or("-") + ' ';
  text += std::to_string(cf.asn().value_or(-1)) + ' ' +
          std::to_string(static_cast<int>(cf.latitude().value_or(0) * 100));
  text +=
      ' ' + cf.fields().json("/botManagement").value_or("-") + ' ' + cf.fields().json("/none").value_or("-");
  co_return http::Response(200, text);
}

// Fetches with properties; with `broken`, with one that is no JSON.
Task<http::Response> fetch_with_cf(http::Request request) {
  FetchCf cf;
  cf.cache_everything(true).cache_ttl(90s).cache_key("a \"key\"").resolve_override("other.example");
  if (request.url.query_parameter("broken") == "1") cf.set("image", "{");
  const http::Service origin = http::layered(http::Timeout{2s}, wasm::HostFetchCf(cf));
  http::Url url = co_await http::Url::parse("http://origin.example/cf");
  http::Request onward(request.method, std::move(url), http::Headers{{"X-Own", "sent"}},
                       std::move(request.body));
  Result<http::Response> response = co_await origin(std::move(onward)).result();
  if (!response) co_return http::Response(502, to_string(response.error()));
  co_return *std::move(response);
}

// Calls the other Worker through layers.
Task<http::Response> call(http::Request request) {
  const std::string name = request.url.query_parameter("name");
  const http::Service other =
      http::layered(http::Timeout{2s}, http::Retry{.attempts = 3, .backoff = 1ms}, wasm::HostService(name));
  http::Url url =
      co_await http::Url::parse("http://other.example/path?q=" + request.url.query_parameter("q"));
  http::Request onward(request.method, std::move(url), http::Headers{{"X-Own", "sent"}},
                       std::move(request.body));
  Result<http::Response> response = co_await other(std::move(onward)).result();
  if (!response) co_return http::Response(502, to_string(response.error()));
  co_return *std::move(response);
}

// Answers from the cache, and else keeps a large streamed body of a service there.
Task<http::Response> cached(http::Request request) {
  wasm::HostResponseCache cache;
  const http::Url key = request.url;
  std::optional<http::Response> found = co_await cache.match(key);
  if (found) co_return *std::move(found);
  http::Response response = co_await wasm::HostService("OTHER")(http::get("http://other.example/large"));
  if (request.url.query_parameter("touch") == "1") {  // pass it through the module
    http::Response touched(200, co_await response.body.text(4 * MiB));
    response = std::move(touched);
  }
  response.headers.set("Cache-Control", "max-age=60");
  co_await cache.put(key, std::move(response));
  co_return http::Response(200, "kept");
}

// Keeps a body in gzip as such a one, and answers from the cache.
Task<http::Response> cached_coded(http::Request request) {
  wasm::HostResponseCache cache;
  std::string body = co_await request.body.text(1 * MiB);
  http::Response response(200, std::move(body));
  response.headers.set("Content-Encoding", "gzip");
  response.headers.set("Cache-Control", "max-age=60");
  co_await cache.put(request.url, std::move(response));
  std::optional<http::Response> found = co_await cache.match(request.url);
  if (!found) co_return http::Response(404);
  co_return *std::move(found);
}

Task<http::Response> serve(http::Request request) {
  const std::string path = request.url.path();
  if (path == "/worker/coded") return cached_coded(std::move(request));
  if (path == "/worker/cf") return cf();
  if (path == "/worker/fetch_cf") return fetch_with_cf(std::move(request));
  if (path == "/worker/call") return call(std::move(request));
  return cached(std::move(request));
}

}  // namespace

ESC_TASK(sql_contract)
ESC_TASK(cache_contract)
ESC_TASK(cache_store_contract)
ESC_TASK(json_contract)
ESC_TASK(json_at)
ESC_WORKER(serve)
