// A client with a cache, in simulated time: docs/caching.md.

#include <cstdio>

#include <escapement/io/sim/sim.h>
#include <escapement/middleware/cache/cache.h>
#include <escapement/middleware/cache/memory_cache_store.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

// Has an answer for ten seconds at a time, and knows the one that a client has.
Task<http::Response> origin(http::Request request) {
  const http::Headers fields{{"Cache-Control", "max-age=10"}, {"ETag", "\"1\""}};
  if (request.headers.get_or("If-None-Match", "") == "\"1\"") {
    co_return http::Response(304, fields, http::Body());
  }
  co_return http::Response(200, fields, "the answer");
}

// [cached]
http::Service cached(http::Service api) {
  auto store = std::make_shared<http::MemoryCacheStore>();
  http::CacheOptions options;
  options.name = "mine";  // says in Cache-Status what it did
  return http::layered(http::Cache(store, options), std::move(api));
}

Task<> call(const http::Service& api) {
  http::Response response = co_await api(http::get("http://api.test/answer"));
  const std::string body = co_await response.body.text(1000);
  std::printf("%s (%s)\n", body.c_str(), response.headers.get("Cache-Status")->c_str());
}

Task<> calls(const http::Service& api) {
  co_await call(api);
  co_await sleep(5s);
  co_await call(api);
  co_await sleep(5s);
  co_await call(api);
}
// [cached]

int main() {
  Sim sim;
  const http::Service api = cached(origin);
  return sim.run(calls(api)) ? 0 : 1;
}
