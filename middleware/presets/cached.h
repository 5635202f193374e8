// cached, etag_cache: a Cache for a preset.

#pragma once

#include <functional>
#include <memory>

#include <escapement/io/http/service.h>
#include <escapement/middleware/cache/cache.h>

namespace escapement::http {

// Returns a function that puts a Cache on `store` around a service, for the `cache` of a preset's options.
// The presets take a function, so that programs without a cache have none of its code.
//
//     ResilientOptions options;
//     options.cache = http::cached(std::make_shared<MemoryCacheStore>());
//     const Service api = http::resilient(http::Client(network), options);
//
// A null `store` ends the program (checked).
std::function<Service(Service)> cached(std::shared_ptr<CacheStore> store,
                                       CacheOptions options = CacheOptions());

// The same for an API whose responses carry an ETag: each use of a stored response is validated
// (CacheRules::validate_always), so a change is seen at once, and an unchanged response costs a 304 without a
// body. At GitHub a 304 counts for no primary limit. A null `store` is a MemoryCacheStore with its usual
// limits.
std::function<Service(Service)> etag_cache(std::shared_ptr<CacheStore> store = nullptr);

}  // namespace escapement::http
