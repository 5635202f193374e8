// DurableObject: an object with a name and a storage, of which one instance runs at a time.
//
//     class Counter final : public DurableObject {
//      public:
//       explicit Counter(DurableStorage& storage) : storage_(storage) {}
//       Task<http::Response> fetch(http::Request request) override { ... }
//       ...
//     };
//
// In a Worker it is exported by ESC_DURABLE_OBJECT (wasm_glue/durable_object.h); natively and in simulations
// MemoryDurableObject (memory_durable_object.h) runs it.

#pragma once

#include <functional>
#include <memory>

#include <escapement/io/bindings/durable_storage.h>
#include <escapement/io/http/message.h>

namespace escapement {

// The host makes the object when something comes for it, and may destroy it at any instant, with all its
// tasks: everything that matters is in its storage. All of its tasks run in one reactor.
class DurableObject {
 public:
  virtual ~DurableObject() = default;

  // Responds to a request, as a http::Service does. Several may be in flight at once. Responds 404 by
  // default.
  virtual Task<http::Response> fetch(http::Request request);
  // Called when the storage's alarm is due, one call at a time. If it fails, the host calls again later, a
  // few times (Cloudflare: six, after 2 s, 4 s, ...); if the object is evicted meanwhile, it calls the next
  // one. Does nothing by default.
  virtual Task<> alarm();
};

// Makes the object, when something has come for it. The storage outlives it.
using MakeDurableObject = std::function<std::unique_ptr<DurableObject>(Reactor&, DurableStorage&)>;

}  // namespace escapement
