// CacheStore: where a Cache keeps its responses. MemoryCacheStore and, natively, DiskCacheStore are two.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/middleware/cache/cache_policy.h>

namespace escapement::http {

// Keeps responses by the URL of their request; there may be several for one, which differ in
// StoredHead::varying. A store may drop any of them at any time. All calls are of one reactor's thread. A
// store that fails costs no request: Cache goes on without it.
class CacheStore {
 public:
  virtual ~CacheStore() = default;

  // Writes one response. Nothing of it can be found before `commit` has succeeded. Destroying it before that
  // drops what was written.
  class Writer {
   public:
    virtual ~Writer() = default;
    // Adds `bytes`, which must stay valid until the task has finished. Yields false if there is no room.
    virtual Task<bool> write(std::string_view bytes) = 0;
    // Stores the response, in place of one with the same key and the same `varying`. Called once. Yields
    // false if there is no room, and if it is outdated: such a response was stored that was begun later, or
    // all for its key was dropped since this one was begun.
    virtual Task<bool> commit() = 0;
  };

  // The heads that were found.
  using Found = std::vector<std::shared_ptr<const StoredHead>>;

  // Yields the responses for `key`, in any order.
  virtual Task<Found> find(std::string key) = 0;
  // Yields the body of one of them, which stays readable when the response is dropped; nullopt if it is gone.
  virtual Task<std::optional<Body>> open(std::string key, std::uint64_t id) = 0;
  // Begins to store a response of `length` bytes, where that is known. Null if it has no room for that.
  virtual Task<std::unique_ptr<Writer>> store(std::string key, StoredHead head,
                                              std::optional<std::uint64_t> length) = 0;
  // Puts `head` in place of the one with its id, whose body stays. Does nothing if that is gone.
  virtual Task<> freshen(std::string key, StoredHead head) = 0;
  // Drops the response with this id, or all for `key` if it is 0: those that are being written too.
  virtual Task<> remove(std::string key, std::uint64_t id) = 0;
};

// The bounds of a store. Each is at least 1.
class CacheStoreLimits {
 public:
  std::uint64_t bytes_max = 64 << 20;       // of bodies and heads, in all
  std::uint64_t entry_bytes_max = 8 << 20;  // of one body; longer ones are not stored
  std::size_t entries_max = 10'000;         // responses
  std::size_t variants_max = 16;            // responses for one key
};

}  // namespace escapement::http
