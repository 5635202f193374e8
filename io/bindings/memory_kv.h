// MemoryKv: a Kv in memory, natively and in simulations: expiry by the reactor's wall clock, latency, faults,
// and writes that are seen late.

#pragma once

#include <map>
#include <string>
#include <vector>

#include <escapement/io/bindings/kv.h>

namespace escapement {

// The behaviour of a MemoryKv. All randomness is drawn from the reactor's generator.
class MemoryKvOptions {
 public:
  Duration latency = {};  // of each operation
  // The time after which a write is seen, for writes of each key alike: eventual consistency.
  Duration propagation = {};
  // Fails one operation in so many: before it takes place (unavailable). 0: none.
  std::uint64_t fail_one_in = 0;
};

class MemoryKv final : public Kv {
 public:
  // Makes an empty store.
  explicit MemoryKv(MemoryKvOptions options = MemoryKvOptions()) : options_(options) {}

  Task<std::optional<KvEntry>> get(std::string key) override;
  Task<> put(std::string key, std::string value, KvPut options = KvPut()) override;
  Task<> remove(std::string key) override;
  Task<KvPage> list(KvList range = KvList()) override;

 private:
  struct Version {
    SystemTime seen_from;
    std::optional<KvEntry> entry;
    std::optional<SystemTime> expires;
  };

  Task<SystemTime> begin();
  const Version* seen(std::vector<Version>& versions, SystemTime now);
  void add(std::string key, Version version);

  MemoryKvOptions options_;
  std::map<std::string, std::vector<Version>> keys_;
};

}  // namespace escapement
