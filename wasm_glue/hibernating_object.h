// ESC_HIBERNATING_OBJECT: a HibernatingObject (io/bindings/hibernating_object.h) as a Durable Object of a
// Worker, with WebSockets that the host keeps while the object sleeps.
//
//     class Room final : public HibernatingObject {
//      public:
//       Room(Reactor& reactor, DurableStorage& storage, DurableWebSockets& sockets);
//       Task<> web_socket_message(DurableWebSocket& socket, WebSocketMessage message) override;
//     };
//     ESC_HIBERNATING_OBJECT(Room)
//
//     import { bindings, hibernatingObject } from "./hibernation.mjs";
//     export const Room = hibernatingObject(module, "Room");
//     export default worker(module, { bindings });
//
// All else is as ESC_DURABLE_OBJECT (durable_object.h). A client connects by a request with `Upgrade:
// websocket` that reaches the object's `fetch`.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/bindings/hibernating_object.h>
#include <escapement/wasm_glue/durable_object.h>

namespace escapement::wasm {

// Runs one instance of a HibernatingObject, until it is idle.
Task<std::string> run_hibernating_object(MakeHibernatingObject make,
                                         DurableObjectOptions options = DurableObjectOptions());

}  // namespace escapement::wasm

// Exports the class, which is constructed from (Reactor&, DurableStorage&, DurableWebSockets&). Options may
// follow.
#define ESC_HIBERNATING_OBJECT(Class, ...)                                                               \
  extern "C" ESC_EXPORT(esc_task_hibernating_object_##Class) double esc_task_hibernating_object_##Class( \
      escapement::wasm::Context* context, double now, char* text, std::size_t length) {                  \
    return escapement::wasm::run_for_host(*context, now, text, length, [](std::string) {                 \
      return escapement::wasm::run_hibernating_object(                                                   \
          [](escapement::Reactor& reactor, escapement::DurableStorage& storage,                          \
             escapement::DurableWebSockets& sockets) -> std::unique_ptr<escapement::HibernatingObject> { \
            return std::make_unique<Class>(reactor, storage, sockets);                                   \
          } __VA_OPT__(, ) __VA_ARGS__);                                                                 \
    });                                                                                                  \
  }
