// Cache: keeps responses and serves them again, by the rules of RFC 9111.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/middleware/cache/cache_policy.h>
#include <escapement/middleware/cache/cache_store.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// The settings of a Cache.
class CacheOptions {
 public:
  CacheRules rules = {};  // for whom, and what is guessed
  // In a cache that is not shared: fields that tell users apart. A response is served only for requests with
  // the same values in them. Without them a program that calls a service for several users would mix them up.
  std::vector<std::string> vary_always = {"Authorization", "Cookie"};
  // Runs a validation beside the response that is served meanwhile (stale-while-revalidate), in a scope that
  // outlives it: `[&scope](Task<> task) { scope.spawn(std::move(task)); }`, in a Worker wasm::wait_until.
  // Empty: such a response is validated first.
  std::function<void(Task<>)> background = {};
  // The time for which a request waits while another one validates the same response; then it does so itself.
  Duration wait_max = 10s;
  // A name for Cache-Status (RFC 9211), letters, digits, '-' and '.' (checked). Empty: no such field is sent.
  std::string name = {};
};

// Serves GET and HEAD from `store` where RFC 9111 allows it, and stores the responses to GET while they pass:
// a body that is not read to its end, or breaks off, is not stored. Usable in front of a client and of a
// server's handlers; a cache in front of handlers that serves several users is `shared`.
//
// - A stale response is validated with its ETag and Last-Modified. A 304 freshens it; of the other requests
// for
//   the same URL that come meanwhile, each waits for that.
// - Vary is honoured; each URL has up to CacheStoreLimits::variants_max responses.
// - no-cache, max-age, max-stale, min-fresh, no-store, only-if-cached (504) and stale-if-error of requests
// count.
// - An unsafe method that succeeds drops the responses for its URL, and for Location and Content-Location of
// the
//   same origin.
// - Conditions of the caller's (If-None-Match, If-Modified-Since) are answered from a fresh response, with
// 304
//   where they hold, and are passed on otherwise.
// - Requests with a body, Range, If-Range, If-Match, If-Unmodified-Since or user information pass by, and so
// does
//   QUERY.
//
// A response from the store has an Age. It holds the fields of the connection no longer, but Set-Cookie as it
// was stored. Failures of the store are not the request's. Ages follow from the wall clock, so one that jumps
// back makes responses last longer.
//
//     const Service api = layered(Cache(std::make_shared<MemoryCacheStore>()), Retry{}, client);
//
// Put it inside what adds credentials (BearerAuth), so that it sees them, outside of Retry, which would
// repeat what it keeps, and outside of Decompress for a store of decoded bodies (layer_order.h). Copies share
// the store and the validations; all belong to one thread. Destroying a call, or a response that is being
// stored, leaves the store as it was.
class Cache {
 public:
  static constexpr LayerRole role = LayerRole::cache;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  // Makes a cache on a store, which others may share.
  explicit Cache(std::shared_ptr<CacheStore> store, CacheOptions options = CacheOptions());

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
