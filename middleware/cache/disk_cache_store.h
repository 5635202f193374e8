// DiskCacheStore: a CacheStore in a folder, which outlives the program.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/native/thread_pool.h>
#include <escapement/middleware/cache/cache_store.h>

namespace escapement::http {

// Keeps each response in a file of its own, which only this user may read, and what it knows of them in
// memory, about 1 KB for each. The disk is used on the threads of a pool alone.
//
//     std::shared_ptr<DiskCacheStore> store = co_await DiskCacheStore::open(pool, "/var/cache/mine");
//     const Service api = layered(Cache(store), client);
//
// A response is written under another name, which it loses when it is complete. Files are not synced: after a
// crash of the system some may be torn. `open` drops those whose head is, by its length and checksum
// (CRC-32), and the first use drops those whose body is; a response that was dropped is fetched again. Bytes
// of bodies are stored as they are. Credentials are not, only digests of them (StoredHead::varying); secrets
// that a response carries are.
//
// One store at a time uses a folder, and the folder holds nothing else: files named *.response and *.part
// that are no responses are removed. Native only. The pool must outlive the store and the bodies from it.
class DiskCacheStore final : public CacheStore {
 public:
  // Opens a folder, which is made if it is missing, and reads the heads in it. Fails as Folder::open and
  // make_folders.
  static Task<std::shared_ptr<DiskCacheStore>> open(ThreadPool& pool, std::string folder,
                                                    CacheStoreLimits limits = CacheStoreLimits());
  ~DiskCacheStore() override;

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
  explicit DiskCacheStore(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
