// HostStorage: the storage of a Durable Object in a Worker, as a DurableStorage.
//
// Objects of ESC_DURABLE_OBJECT (durable_object.h) are given theirs. A write is applied in one piece, with
// its alarm, and has finished when the host says that it is durable (storage.sync()).

#pragma once

#include <escapement/io/bindings/durable_storage.h>

namespace escapement::wasm {

// Each is finite by default; Duration::max() is none.
class HostStorageOptions {
 public:
  Duration timeout = 30s;  // of each operation; a write may have taken place
};

// Must be used in the context of its object. Operations fail as those of DurableStorage, `reset` with the
// host's text for whatever it says, and timed_out.
class HostStorage final : public DurableStorage {
 public:
  explicit HostStorage(HostStorageOptions options = HostStorageOptions()) : options_(options) {}

  Task<std::vector<std::optional<std::string>>> get_all(std::vector<std::string> keys) override;
  Task<std::vector<StorageEntry>> list(StorageRange range) override;
  Task<> write(StorageChanges changes) override;
  Task<std::optional<SystemTime>> alarm() override;

 private:
  HostStorageOptions options_;
};

}  // namespace escapement::wasm
