// MemoryDurableObject: runs one Durable Object natively or in a simulation, as Cloudflare does in a Worker.

#pragma once

#include <memory>

#include <escapement/core/scope.h>
#include <escapement/io/bindings/durable_object.h>
#include <escapement/io/bindings/memory_storage.h>

namespace escapement {

// Makes the object when a request or its alarm comes, and calls its handlers. The alarm is due by the
// reactor's wall clock, so a simulation moves it. A handler of the alarm that fails is called again after 2
// s, 4 s and so on, six times; then the alarm is dropped, as the host does.
class MemoryDurableObject {
 public:
  // `disk` and the reactor must outlive it.
  MemoryDurableObject(Reactor& reactor, MemoryDisk& disk, MakeDurableObject make,
                      MemoryStorageOptions options = MemoryStorageOptions());
  MemoryDurableObject(const MemoryDurableObject&) = delete;
  ~MemoryDurableObject();

  // Passes a request to the object. Fails as its handler fails, and with `reset` if it is evicted meanwhile.
  Task<http::Response> fetch(http::Request request);
  // Calls `handler` with the object, in a task of its. Fails as fetch does.
  Task<> call(std::function<Task<>(DurableObject&)> handler);
  // Destroys the object with all its tasks, at once; the next event makes another one. Must not be called
  // from inside one of its tasks.
  void evict();
  // Returns the object, which is made if there is none. Valid until it is evicted.
  DurableObject& object();

 private:
  struct Instance;

  Task<> run_alarms();
  Task<> run_alarm();

  Reactor& reactor_;
  MemoryDisk& disk_;
  MakeDurableObject make_;
  MemoryStorageOptions options_;
  std::unique_ptr<Instance> instance_;
  int alarm_failures_ = 0;  // in a row
  Scope alarms_;
};

}  // namespace escapement
