// ResponseCache: responses under the URLs of their requests, kept as long as they are fresh (the Cache API).
//
//     std::optional<http::Response> cached = co_await cache.match(request);
//     if (cached) co_return *std::move(cached);
//     ...
//     response.headers.set("Cache-Control", "max-age=60");
//     co_await cache.put(request.url, std::move(response));
//
// A Worker's is wasm_glue/host_response_cache.h; natively and in simulations it is MemoryResponseCache
// (memory_response_cache.h).
//
// Source: https://developers.cloudflare.com/workers/runtime-apis/cache/

#pragma once

#include <optional>
#include <string>

#include <escapement/io/http/message.h>

namespace escapement {

// The key is the whole URL; the method is GET. Fields that Vary names are not looked at.
//
// A response is kept as its Cache-Control (s-maxage, max-age, no-store, no-cache, private) and Expires say.
// One that may not be kept, among them each with Set-Cookie, is dropped without a failure: `match` does not
// find it.
//
// Operations fail with invalid_argument (a response with the status 206, or `Vary: *`, or that no server may
// send; a field that is none), limit_exceeded (a
// body that is too large), unavailable, timed_out and reset. The cache must outlive the tasks; bodies live
// on.
class ResponseCache {
 public:
  virtual ~ResponseCache() = default;

  // Returns the response that is kept for `url`, nullopt if there is none or it is not fresh any more.
  // `conditions` may have Range (of one range: a 206), If-None-Match and If-Modified-Since (a 304); other
  // fields are not looked at. The body streams.
  virtual Task<std::optional<http::Response>> match(http::Url url,
                                                    http::Headers conditions = http::Headers()) = 0;
  // Keeps `response` for `url`, in place of the one before. Its body is read to the end.
  virtual Task<> put(http::Url url, http::Response response) = 0;
  // Removes what is kept for `url`. Returns whether there was something.
  virtual Task<bool> remove(http::Url url) = 0;

 protected:
  // Check a response, and conditions, for implementations.
  static Result<> check_put(const http::Response& response);
  static Result<> check_conditions(const http::Headers& conditions);
};

}  // namespace escapement
