#include <escapement/middleware/presets/cached.h>

#include <escapement/middleware/cache/memory_cache_store.h>

namespace escapement::http {

std::function<Service(Service)> cached(std::shared_ptr<CacheStore> store, CacheOptions options) {
  ESC_CHECK(store != nullptr, "a Cache needs a store");
  return [cache = Cache(std::move(store), std::move(options))](Service next) {
    return layered(cache, std::move(next));
  };
}

std::function<Service(Service)> etag_cache(std::shared_ptr<CacheStore> store) {
  if (store == nullptr) store = std::make_shared<MemoryCacheStore>();
  CacheOptions options;
  options.rules.validate_always = true;
  return cached(std::move(store), std::move(options));
}

}  // namespace escapement::http
