// HostResponseCache: a cache of a Worker (the Cache API), as a ResponseCache.
//
//     wasm::HostResponseCache cache;  // caches.default; HostResponseCache("pages"): caches.open("pages")
//     std::optional<http::Response> cached = co_await cache.match(request.url);
//
//     import { cache } from "./cache.mjs";
//     export default worker(module, { bindings: [cache] });

#pragma once

#include <string>

#include <escapement/io/bindings/response_cache.h>

namespace escapement::wasm {

// Limits of a HostResponseCache; each is finite by default, Duration::max() is none.
class HostResponseCacheOptions {
 public:
  // The limit of each operation; of a put, from the last piece of its body on. A body that the host has, as
  // it is passed on unread or in memory, adds a second for each 64 KiB, and 256 seconds if its length is not
  // known.
  Duration timeout = 30s;
  Duration stall = 30s;  // between two pieces of a body
};

// Fails as ResponseCache says, with unsupported where the host has no such cache, and with `reset` and the
// host's text for everything else. A response that is passed on unread stays with the host: it is not copied
// into the module, from the cache as into it. Workers on workers.dev keep nothing.
class HostResponseCache final : public ResponseCache {
 public:
  // `name` is that of a cache of the Worker's own; empty: the default one, which is shared with the zone.
  explicit HostResponseCache(std::string name = {},
                             HostResponseCacheOptions options = HostResponseCacheOptions())
      : name_(std::move(name)), options_(options) {}

  Task<std::optional<http::Response>> match(http::Url url,
                                            http::Headers conditions = http::Headers()) override;
  Task<> put(http::Url url, http::Response response) override;
  Task<bool> remove(http::Url url) override;

 private:
  std::string name_;
  HostResponseCacheOptions options_;
};

}  // namespace escapement::wasm
