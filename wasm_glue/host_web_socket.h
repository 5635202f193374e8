// HostWebSocket: the host's WebSocket, in Workers, browsers, Node, Deno and Bun. ESC_WEB_SOCKET: a Worker's
// handler of WebSockets.
//
//     std::unique_ptr<WebSocket> socket = co_await wasm::connect_web_socket("wss://example.org/feed");
//
//     Task<> echo(http::Request request, WebSocket& socket) { ... }
//     ESC_WEB_SOCKET(echo)
//
//     import { upgrades, webSockets } from "./web_socket.mjs";
//     const options = { bindings: [webSockets] };
//     const { fetch } = worker(module, options);
//     export default { fetch: upgrades(module, fetch, options) };
//
// A handler runs in a context of its own until it returns; the connection is then closed with 1000, with 1011
// if it has failed. Requests that do not ask for a WebSocket go to the Worker's fetch.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/io/http/message.h>
#include <escapement/io/web_socket.h>
#include <escapement/wasm_glue/runtime.h>

namespace escapement::wasm {

// Limits of connect_web_socket; each is finite by default.
class HostWebSocketOptions {
 public:
  std::vector<std::string> protocols;            // the subprotocols that the client speaks; empty: none
  Duration connect_timeout = 30s;                // until the connection is open
  WebSocketOptions limits = WebSocketOptions();  // for what nobody has received yet
};

// Opens a connection to a ws:, wss:, http: or https: URL. Fails with invalid_argument for another URL, with
// unavailable if it cannot be opened (hosts do not say why), with unsupported where the host has no
// WebSocket, and with timed_out (TimeLimit::operation). Must be used in the context that it was opened in.
Task<std::unique_ptr<WebSocket>> connect_web_socket(std::string url,
                                                    HostWebSocketOptions options = HostWebSocketOptions());

// Runs a handler of ESC_WEB_SOCKET with the request that JavaScript has packed.
Task<std::string> run_web_socket(Task<> (*handler)(http::Request, WebSocket&), std::string packed);

}  // namespace escapement::wasm

// Exports `function`, a `Task<>(http::Request, WebSocket&)`. At most one for each module.
#define ESC_WEB_SOCKET(function)                                                                       \
  extern "C" ESC_EXPORT(esc_task_web_socket) double esc_task_web_socket(                               \
      escapement::wasm::Context* context, double now, char* text, std::size_t length) {                \
    return escapement::wasm::run_for_host(*context, now, text, length, [](std::string packed) {        \
      return escapement::wasm::run_web_socket(                                                         \
          [](escapement::http::Request request, escapement::WebSocket& socket) -> escapement::Task<> { \
            return function(std::move(request), socket);                                               \
          },                                                                                           \
          std::move(packed));                                                                          \
    });                                                                                                \
  }
