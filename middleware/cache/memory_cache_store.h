// MemoryCacheStore: a CacheStore in memory.

#pragma once

#include <memory>

#include <escapement/middleware/cache/cache_store.h>

namespace escapement::http {

// Keeps the most recently used responses within its limits. A body of up to 64 KiB is copied for each
// response that is served from here; longer ones are shared, and stay in memory as long as one of them is
// being read.
class MemoryCacheStore final : public CacheStore {
 public:
  // Makes an empty store.
  explicit MemoryCacheStore(CacheStoreLimits limits = CacheStoreLimits());
  ~MemoryCacheStore() override;

  Task<Found> find(std::string key) override;
  Task<std::optional<Body>> open(std::string key, std::uint64_t id) override;
  Task<std::unique_ptr<Writer>> store(std::string key, StoredHead head,
                                      std::optional<std::uint64_t> length) override;
  Task<> freshen(std::string key, StoredHead head) override;
  Task<> remove(std::string key, std::uint64_t id) override;

  // Returns the number of responses.
  std::size_t size() const;
  // Returns the bytes that count for the limit.
  std::uint64_t bytes() const;

 private:
  class State;
  class Writing;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
