// ESC_DURABLE_OBJECT: a DurableObject (io/bindings/durable_object.h) as a Durable Object of a Worker.
//
//     class Counter final : public DurableObject {
//      public:
//       Counter(Reactor& reactor, DurableStorage& storage);
//       Task<http::Response> fetch(http::Request request) override;
//       Task<> alarm() override;
//     };
//     ESC_DURABLE_OBJECT(Counter)
//
//     import { worker } from "./escapement.mjs";
//     import { bindings, durableObject } from "./durable_object.mjs";
//     import module from "./app.wasm";
//     export const Counter = durableObject(module, "Counter");
//     export default worker(module, { bindings });
//
// Bodies stream both ways. One of which C++ reads nothing never enters its memory.
//
// An instance is one context of the module, in which all requests and alarms of the object run. It closes
// when nothing has come for 5 s, so that the host may put the object to sleep; the next event makes a new
// one. A trap costs what is in flight, like an eviction.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/bindings/durable_object.h>
#include <escapement/wasm_glue/runtime.h>

namespace escapement::wasm {

// Each is finite by default.
class DurableObjectOptions {
 public:
  // The time without an event after which the instance closes. The host evicts an object after some 10 s in
  // which no timer of it is set either.
  Duration idle_timeout = 5s;
  // The longest time between two pieces of a request's body.
  Duration body_idle = 30s;
  // The longest time in which the reader of a streaming response does not ask for more. The response breaks
  // off. (A reader that leaves ends it at once.)
  Duration write_stall = 30s;
};

// Runs one instance of a Durable Object, until it is idle.
Task<std::string> run_durable_object(MakeDurableObject make,
                                     DurableObjectOptions options = DurableObjectOptions());

}  // namespace escapement::wasm

// Exports the class, which is constructed from (Reactor&, DurableStorage&). Options may follow.
#define ESC_DURABLE_OBJECT(Class, ...)                                                            \
  extern "C" ESC_EXPORT(esc_task_durable_object_##Class) double esc_task_durable_object_##Class(  \
      escapement::wasm::Context* context, double now, char* text, std::size_t length) {           \
    return escapement::wasm::run_for_host(*context, now, text, length, [](std::string) {          \
      return escapement::wasm::run_durable_object(                                                \
          [](escapement::Reactor& reactor,                                                        \
             escapement::DurableStorage& storage) -> std::unique_ptr<escapement::DurableObject> { \
            return std::make_unique<Class>(reactor, storage);                                     \
          } __VA_OPT__(, ) __VA_ARGS__);                                                          \
    });                                                                                           \
  }
