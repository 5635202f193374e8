// ResponseCacheStore: a CacheStore in a ResponseCache, which in a Worker is the Cache API.
//
//     auto store = std::make_shared<http::ResponseCacheStore>(std::make_shared<wasm::HostResponseCache>());
//     const http::Service api = http::layered(http::Cache(store), http::Retry{}, wasm::HostFetch());
//
// Natively and in simulations it stands on a MemoryResponseCache.

#pragma once

#include <memory>
#include <string>

#include <escapement/core/bytes.h>
#include <escapement/io/bindings/response_cache.h>
#include <escapement/middleware/cache/cache_store.h>

namespace escapement::http {

// The settings of a ResponseCacheStore.
class ResponseCacheStoreOptions {
 public:
  // The start of the URLs under which responses are kept: an http or https URL that ends with '/' (checked).
  // Cloudflare advises a host of your own zone, whose name it need not look up. Stores with one prefix, in
  // one cache, are one store.
  std::string prefix = "https://cache.escapement.invalid/";
  // The time for which a response stays, from its storing on: longer than it is fresh, so that it can be
  // validated. Whole seconds, 1 or more (checked).
  Duration keep = 24h;
  std::uint64_t entry_bytes_max = 2 * MiB;  // of one body, which is held in memory until it is complete
  std::size_t variants_max = 16;            // responses for one key; 1 or more (checked)
};

// Keeps the list of a key's responses, with their heads, under one URL, and each body under one of its own.
// So the layer's rules hold, which are not the Cache API's: Vary, validators, ages, responses that are
// private, that set cookies, or that are stale and wait for their validation. A hit costs two look-ups of the
// cache, a response that is stored two writes and one look-up, a 304 one of each; in a Worker each is a
// subrequest. A body comes from the cache as it was stored, and in a Worker is passed on as the host's own
// stream.
//
// The Cache API cannot do this:
//
// - Change a list at once: of two responses for one key that are stored at the same time, one may be lost.
//   Within this object one that was dropped does not come back; between isolates it may, if another one
//   stores at that moment.
// - Reach other data centres: each has a cache of its own, and a response that is dropped here stays there,
//   until it is stale by the layer's rules.
// - Name, count or limit what it has. It drops what it likes; bodies whose list is gone stay until `keep` is
//   over.
// - Keep anything for Workers on workers.dev, or in the preview of the dashboard: there nothing is found.
//
// Keys are digests (SHA-256), so URLs do not show in the cache's own. Everything of the zone that can use the
// cache can read what it has, unless the cache is the Worker's own (HostResponseCache("pages")).
class ResponseCacheStore final : public CacheStore {
 public:
  // Makes a store on `cache`, whose limits of time hold for each operation.
  explicit ResponseCacheStore(std::shared_ptr<ResponseCache> cache,
                              ResponseCacheStoreOptions options = ResponseCacheStoreOptions());
  ~ResponseCacheStore() override;

  Task<Found> find(std::string key) override;
  Task<std::optional<Body>> open(std::string key, std::uint64_t id) override;
  Task<std::unique_ptr<Writer>> store(std::string key, StoredHead head,
                                      std::optional<std::uint64_t> length) override;
  Task<> freshen(std::string key, StoredHead head) override;
  Task<> remove(std::string key, std::uint64_t id) override;

 private:
  class State;
  class Writing;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
