// DurableNamespace: the Durable Objects of a class, to call them by name.
//
//     Result<DurableId> id = rooms.id_from_name("hall");
//     const http::Service hall = http::layered(http::Timeout{2s}, rooms.get(*id));
//     http::Response response = co_await hall(http::get("http://room/join"));
//
// A Worker's is wasm_glue/host_durable_namespace.h; natively and in simulations it is MemoryDurableNamespace
// (memory_durable_namespace.h).
//
// Source: https://developers.cloudflare.com/durable-objects/api/namespace/

#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <escapement/io/http/service.h>

namespace escapement {

// The id of an object, from its namespace: 64 hexadecimal digits.
class DurableId {
 public:
  // For implementations: takes an id that is known to be one.
  explicit DurableId(std::string digits) : digits_(std::move(digits)) {}
  // Returns it as text, by which `id_from_string` finds it again.
  const std::string& text() const { return digits_; }
  bool operator==(const DurableId&) const = default;

 private:
  std::string digits_;
};

// The objects exist from their first request on. The namespace must outlive the tasks and its services.
class DurableNamespace {
 public:
  virtual ~DurableNamespace() = default;

  // Returns the id of the object that has this name: always the same one. Fails with invalid_argument if the
  // Worker has no such namespace.
  virtual Result<DurableId> id_from_name(std::string_view name) = 0;
  // Returns the id with this text. Fails with invalid_argument if it is none of this namespace.
  virtual Result<DurableId> id_from_string(std::string_view text) = 0;
  // Returns the id of a new object, which nothing else names: keep its text.
  virtual Result<DurableId> new_unique_id() = 0;

  // Returns what calls an object: its `fetch`. The URL's host is the object's to look at, and is not
  // resolved. A call fails with `reset` and the object's words if its handler fails, or is cut off by an
  // eviction or a trap (it is unknown how far it came), and with unavailable, nothing done, if the object has
  // too much to do. Layers stand on it as on any transport.
  virtual http::Service get(const DurableId& id) = 0;
};

}  // namespace escapement
