// HostDurableNamespace: the Durable Objects that a binding of a Worker reaches, as a DurableNamespace.
//
//     wasm::HostDurableNamespace rooms("ROOMS");  // the binding's name
//     DurableId id = co_await rooms.id_from_name("hall");
//     http::Response response = co_await rooms.get(id)(http::get("http://room/join"));
//
//     import { namespaces } from "./namespaces.mjs";
//     export default worker(module, { bindings: [namespaces] });

#pragma once

#include <string>

#include <escapement/io/bindings/durable_namespace.h>
#include <escapement/wasm_glue/host_fetch.h>

namespace escapement::wasm {

// The settings of a HostDurableNamespace.
class HostDurableNamespaceOptions {
 public:
  HostFetchOptions fetch = {};  // of each call; such calls do not count among the six that wait for a head
  // Where an object that does not exist yet is made, as the host names places: "weur". Empty: near the
  // Worker.
  std::string location_hint = {};
  // Where the objects of new_unique_id must stay: "eu", "fedramp". Empty: anywhere.
  std::string jurisdiction = {};
};

// Calls are made by the stubs of the host, one for each object in a context, so those of one request arrive
// in their order; a stub that has failed is made anew. Bodies stream, and those that nobody reads are passed
// on as the host's own. An Error has the object's words. A host may run an object in
// the Worker's isolate, as workerd does locally: there a trap of the object's is the caller's, too.
class HostDurableNamespace final : public DurableNamespace {
 public:
  // `name` is the binding's, in the Worker's env.
  explicit HostDurableNamespace(std::string name,
                                HostDurableNamespaceOptions options = HostDurableNamespaceOptions());

  Result<DurableId> id_from_name(std::string_view name) override;
  Result<DurableId> id_from_string(std::string_view text) override;
  Result<DurableId> new_unique_id() override;
  // The service may outlive the namespace.
  http::Service get(const DurableId& id) override;

 private:
  std::string name_;
  HostDurableNamespaceOptions options_;
};

}  // namespace escapement::wasm
