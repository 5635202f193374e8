// WebSockets: a client and a Worker's handler.

#include <escapement/core/detail/number.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>
#include <escapement/wasm_glue/host_web_socket.h>
#include <escapement/wasm_glue/worker.h>

using namespace escapement;

namespace {

std::string described(const std::optional<WebSocketMessage>& message) {
  if (!message) return "end";
  return (message->is_text ? "text " : "bytes ") + message->data;
}

// Sends text and bytes, and yields what comes back, and how it was closed.
Task<std::string> spoken(std::string url) {
  std::unique_ptr<WebSocket> socket = co_await wasm::connect_web_socket(url);
  co_await socket->send("h\xc3\xa4llo");
  co_await socket->send(WebSocketMessage::binary(std::string("\0\xff", 2)));
  Result<> bad = co_await socket->send("\xc3").result();
  std::string log = to_string(bad.error()) + ';';
  for (int i = 0; i < 2; ++i) {
    std::optional<WebSocketMessage> message = co_await socket->receive();
    log += described(message) + ';';
  }
  Result<std::optional<WebSocketMessage>> none = co_await with_timeout(20ms, socket->receive()).result();
  log += std::string(name(none.error().code())) + ';';
  co_await socket->send("bye");
  std::optional<WebSocketMessage> last = co_await socket->receive();
  log += described(last) + ';';
  Result<> late = co_await socket->send("late").result();
  co_return log + std::to_string(socket->close_code()) + ' ' + socket->close_reason() + ';' +
      (late ? "sent" : to_string(late.error()));
}

// Connects, and yields the failure.
Task<std::string> refused(std::string url) {
  Result<std::unique_ptr<WebSocket>> socket = co_await wasm::connect_web_socket(url).result();
  co_return socket ? "open" : to_string(socket.error());
}

// Receives too late, beyond its limits.
Task<std::string> flooded(std::string url) {
  wasm::HostWebSocketOptions options;
  options.limits.messages_max = 10;
  std::unique_ptr<WebSocket> socket = co_await wasm::connect_web_socket(url, options);
  co_await socket->send("flood");
  co_await sleep(300ms);
  for (;;) {
    Result<std::optional<WebSocketMessage>> message = co_await socket->receive().result();
    if (!message) co_return to_string(message.error());
    if (!*message) co_return "end";
  }
}

// Opens, and is gone.
Task<std::string> leaving(std::string url) {
  std::unique_ptr<WebSocket> socket = co_await wasm::connect_web_socket(url);
  Result<> sent = co_await socket->send("noted").result();
  std::optional<WebSocketMessage> message = co_await socket->receive();
  co_return described(message) + ' ' + std::to_string(socket->close_code());
}

Task<> handle(http::Request request, WebSocket& socket) {
  if (request.url.path() == "/fail") co_await Error(Errc::internal, "on purpose");
  while (std::optional<WebSocketMessage> message = co_await socket.receive()) {
    if (message->data == "bye") {
      socket.close(4001, "as you like");
      co_return;
    }
    if (message->data == "flood") {
      for (int i = 0; i < 100; ++i) co_await socket.send("x");
      continue;
    }
    co_await socket.send(*std::move(message));
  }
}

Task<http::Response> serve(http::Request) { co_return http::Response(200, "no WebSocket"); }

}  // namespace

ESC_TASK(spoken)
ESC_TASK(refused)
ESC_TASK(flooded)
ESC_TASK(leaving)
ESC_WEB_SOCKET(handle)
ESC_WORKER(serve)
