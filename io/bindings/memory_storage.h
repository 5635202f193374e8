// MemoryStorage: a DurableStorage in memory, natively and in simulations, with latency and faults.
//
//     MemoryDisk disk;                        // survives the object
//     MemoryStorage storage(sim.reactor(), disk, {.write_latency = 5ms, .fail_one_in = 100});

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/core/random.h>
#include <escapement/io/bindings/durable_storage.h>

namespace escapement {

// The contents of a storage, apart from the object that uses it: they survive its eviction.
class MemoryDisk {
 public:
  std::map<std::string, std::string, std::less<>> entries;  // by key
  std::optional<SystemTime> alarm;                          // the one that is set
  // The alarm whose handler runs. It counts as set again if that fails or is cut off.
  std::optional<SystemTime> running_alarm;
  Event alarm_changed;       // pulsed by each write that changes the alarm
  std::uint64_t reads = 0;   // operations since the beginning
  std::uint64_t writes = 0;  // changes that were applied
  std::uint64_t alarms = 0;  // those that set or removed the alarm
};

// The behaviour of a MemoryStorage. All randomness is drawn from the reactor's generator.
class MemoryStorageOptions {
 public:
  Duration read_latency = {};   // of get, get_all, list and alarm
  Duration write_latency = {};  // half of it before the write takes place, half of it afterwards
  // Fails one operation in so many, as the network between an object and its storage does: before it takes
  // place (unavailable), or afterwards (reset). 0: none.
  std::uint64_t fail_one_in = 0;
  // Called before each operation takes place, and after each write that did. Returns whether the operation
  // goes on: if not, it waits for ever, as at a crash. Empty: always.
  std::function<bool()> goes_on = nullptr;
};

class MemoryStorage final : public DurableStorage {
 public:
  // `disk` must outlive the storage and its tasks.
  explicit MemoryStorage(MemoryDisk& disk, MemoryStorageOptions options = MemoryStorageOptions())
      : disk_(disk), options_(std::move(options)) {}

  Task<std::vector<std::optional<std::string>>> get_all(std::vector<std::string> keys) override;
  Task<std::vector<StorageEntry>> list(StorageRange range) override;
  Task<> write(StorageChanges changes) override;
  Task<std::optional<SystemTime>> alarm() override;

 private:
  Task<> before(Duration latency);
  void apply(const StorageChanges& changes);

  MemoryDisk& disk_;
  MemoryStorageOptions options_;
};

}  // namespace escapement
