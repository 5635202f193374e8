// MemoryResponseCache: a ResponseCache in memory, natively and in simulations: freshness by the reactor's
// wall clock, latency and faults.

#pragma once

#include <map>
#include <string>

#include <escapement/core/bytes.h>
#include <escapement/core/system_time.h>
#include <escapement/io/bindings/response_cache.h>

namespace escapement {

// The behaviour of a MemoryResponseCache. All randomness is drawn from the reactor's generator.
class MemoryResponseCacheOptions {
 public:
  Duration latency = {};  // of each operation
  // Fails one operation in so many, before it takes place (unavailable). 0: none.
  std::uint64_t fail_one_in = 0;
  // The lifetime of a response that does not state its own; the default is Cloudflare's for a 200.
  Duration unstated_lifetime = 2h;
  // The longest body that is kept.
  std::size_t body_bytes_max = 32 * MiB;
};

class MemoryResponseCache final : public ResponseCache {
 public:
  // Makes an empty cache.
  explicit MemoryResponseCache(MemoryResponseCacheOptions options = MemoryResponseCacheOptions())
      : options_(options) {}

  Task<std::optional<http::Response>> match(http::Url url,
                                            http::Headers conditions = http::Headers()) override;
  Task<> put(http::Url url, http::Response response) override;
  Task<bool> remove(http::Url url) override;

 private:
  struct Entry {
    int status = 200;
    http::Headers headers;
    std::string body;
    SystemTime kept;     // since when
    SystemTime expires;  // from then on it is not fresh
  };

  Task<SystemTime> begin();

  MemoryResponseCacheOptions options_;
  std::map<std::string, Entry> entries_;
};

}  // namespace escapement
