// MemoryObjectStore: an ObjectStore in memory, natively and in simulations, with latency and faults. Its
// objects have at most ObjectStore::content_bytes_max bytes, also those that stream.

#pragma once

#include <map>
#include <string>

#include <escapement/io/bindings/object_store.h>

namespace escapement {

// The behaviour of a MemoryObjectStore. All randomness is drawn from the reactor's generator.
class MemoryObjectStoreOptions {
 public:
  Duration latency = {};  // of each operation
  // Fails one operation in so many, before it takes place (unavailable). 0: none.
  std::uint64_t fail_one_in = 0;
};

class MemoryObjectStore final : public ObjectStore {
 public:
  // Makes an empty store.
  explicit MemoryObjectStore(MemoryObjectStoreOptions options = MemoryObjectStoreOptions())
      : options_(options) {}

  Task<std::optional<StreamedObject>> open(std::string key, ObjectRange range = ObjectRange()) override;
  Task<std::optional<ObjectInfo>> head(std::string key) override;
  Task<std::optional<ObjectInfo>> put(std::string key, http::Body content,
                                      ObjectPut options = ObjectPut()) override;
  Task<> remove(std::string key) override;
  Task<ObjectPage> list(std::string prefix, std::size_t limit = 1000, std::string cursor = {}) override;

 private:
  Task<> begin();

  MemoryObjectStoreOptions options_;
  std::map<std::string, StoredObject> objects_;
  std::uint64_t versions_ = 0;
};

}  // namespace escapement
