// MemoryDurableNamespace: a DurableNamespace in memory, natively and in simulations.
//
//     MemoryDurableNamespace rooms(sim.reactor(), "rooms", [](Reactor&, DurableStorage& storage) {
//       return std::make_unique<Room>(storage);
//     });

#pragma once

#include <map>
#include <memory>
#include <string>

#include <escapement/io/bindings/durable_namespace.h>
#include <escapement/io/bindings/memory_durable_object.h>

namespace escapement {

// Makes each object when a request comes for it, with a disk of its own, and runs it as MemoryDurableObject
// does. New ids are drawn from the reactor's generator: a simulation repeats them.
class MemoryDurableNamespace final : public DurableNamespace {
 public:
  // `name` tells the ids of this namespace from those of others. The reactor must outlive it.
  MemoryDurableNamespace(Reactor& reactor, std::string name, MakeDurableObject make,
                         MemoryStorageOptions options = MemoryStorageOptions());
  ~MemoryDurableNamespace() override;

  Result<DurableId> id_from_name(std::string_view name) override;
  Result<DurableId> id_from_string(std::string_view text) override;
  Result<DurableId> new_unique_id() override;
  http::Service get(const DurableId& id) override;

  // Returns the object with this id, for a test: to evict it, or to look into it.
  MemoryDurableObject& object(const DurableId& id);
  // Returns the contents of its storage.
  MemoryDisk& disk(const DurableId& id);
  // Returns the number of objects that exist.
  std::size_t size() const { return places_.size(); }

 private:
  struct Place;

  Place& place(const DurableId& id);
  DurableId sealed(std::string digits) const;

  Reactor& reactor_;
  std::string name_;
  MakeDurableObject make_;
  MemoryStorageOptions options_;
  std::map<std::string, std::unique_ptr<Place>> places_;
};

}  // namespace escapement
