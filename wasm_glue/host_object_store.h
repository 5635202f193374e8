// HostObjectStore: an R2 bucket of a Worker, as an ObjectStore.
//
//     wasm::HostObjectStore files("FILES");  // the binding's name
//     std::optional<StoredObject> object = co_await files.get("a/1");
//     std::optional<StreamedObject> large = co_await files.open("b");
//     if (large) co_return http::Response(200, std::move(large->body));
//
//     import { r2 } from "./r2.mjs";
//     export default worker(module, { bindings: [r2] });

#pragma once

#include <string>

#include <escapement/io/bindings/object_store.h>

namespace escapement::wasm {

// Fails as ObjectStore says, with invalid_argument also if the Worker has no bucket of that name, with
// timed_out after `timeout`, and with `reset` and the host's text for everything else.
class HostObjectStore final : public ObjectStore {
 public:
  // `name` is the binding's, in the Worker's env. Each operation may take `timeout`, a put from the last
  // piece of its content on; and a body that long between two pieces. One of which nothing is read is passed
  // on as the host's own stream. A put of such a one, or of content that is in memory, may take a second more
  // for each 64 KiB.
  explicit HostObjectStore(std::string name, Duration timeout = 60s)
      : name_(std::move(name)), timeout_(timeout) {}

  Task<std::optional<StreamedObject>> open(std::string key, ObjectRange range = ObjectRange()) override;
  Task<std::optional<ObjectInfo>> head(std::string key) override;
  Task<std::optional<ObjectInfo>> put(std::string key, http::Body content,
                                      ObjectPut options = ObjectPut()) override;
  Task<> remove(std::string key) override;
  Task<ObjectPage> list(std::string prefix, std::size_t limit = 1000, std::string cursor = {}) override;

 private:
  std::string name_;
  Duration timeout_;
};

}  // namespace escapement::wasm
