// The events of a Durable Object that reach the C++ half of durable_object.mjs.

#pragma once

#include <string>
#include <string_view>

#include <escapement/io/bindings/durable_object.h>
#include <escapement/wasm_glue/durable_object.h>

namespace escapement::wasm {

// Handles the events that a plain Durable Object does not know.
class ObjectEvents {
 public:
  virtual ~ObjectEvents() = default;
  // Handles event `event` of a `kind` from 3 on. Yields false if it has settled it (esc_object_respond).
  virtual Task<bool> handle(DurableObject& object, const DurableObjectOptions& options, int kind, int event,
                            std::string packed) = 0;
};

// Makes the request of event `event`: a list of its number, method, URL, "1" if it has a body, names and
// values of its fields. Its body streams.
Result<http::Request> take_request(Reactor& reactor, const DurableObjectOptions& options, int event,
                                   std::string_view packed);

// Has the object respond to a request, and streams the response.
Task<> respond(DurableObject& object, const DurableObjectOptions& options, int event, http::Request request);

// As run_durable_object (durable_object.h), with more events.
Task<std::string> run_object(MakeDurableObject make, DurableObjectOptions options, ObjectEvents* events);

}  // namespace escapement::wasm
