// WebSocket: messages both ways over one connection, as an async sequence (core/sequence.h).
//
//     Task<> echo(WebSocket& socket) {
//       while (std::optional<WebSocketMessage> message = co_await socket.receive()) {
//         co_await socket.send(*std::move(message));
//       }
//     }
//
// In Workers and browsers it is the host's (wasm_glue/host_web_socket.h); memory_web_socket.h makes two
// connected ends, natively and in simulations.
//
// Source: https://websockets.spec.whatwg.org/, RFC 6455

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/task.h>

namespace escapement {

// One message: UTF-8 text, or bytes.
class WebSocketMessage {
 public:
  // Makes a message of text.
  WebSocketMessage(std::string text) : data(std::move(text)) {}
  WebSocketMessage(const char* text) : data(text) {}
  // Makes a message of bytes.
  static WebSocketMessage binary(std::string bytes) {
    WebSocketMessage message(std::move(bytes));
    message.is_text = false;
    return message;
  }
  bool operator==(const WebSocketMessage&) const = default;

  std::string data;     // what it says
  bool is_text = true;  // valid UTF-8; else any bytes
};

// A message for many WebSockets. Copying it shares it: 10,000 connections that wait for a slow peer keep one.
//
//     Task<> to_member(WebSocket& socket, Broadcast<SharedWebSocketMessage>& room) {
//       Broadcast<SharedWebSocketMessage>::Receiver receiver(room);
//       while (std::optional<Broadcast<SharedWebSocketMessage>::Message> message = co_await
//       receiver.receive()) {
//         if (message->missed() > 0) co_return;  // too slow for this room
//         co_await socket.send_shared(**message);
//       }
//     }
//     room.send(SharedWebSocketMessage("the kettle boils"));
//
// core/broadcast.h says how far behind a member may be. Must stay on one thread.
class SharedWebSocketMessage {
 public:
  // Text that is not UTF-8 is refused when it is sent.
  explicit SharedWebSocketMessage(WebSocketMessage message);

  // Returns the message.
  const WebSocketMessage& message() const { return content_->message; }

  // For implementations: the bytes that stand for it on a connection, made by `make` for the first one and
  // then kept. Null if it is text that is not UTF-8.
  std::shared_ptr<const std::string> frame(std::string (*make)(const WebSocketMessage&)) const;

 private:
  struct Content {
    explicit Content(WebSocketMessage sent) : message(std::move(sent)) {}
    const WebSocketMessage message;
    std::shared_ptr<const std::string> frame;
    bool not_utf8 = false;
  };
  std::shared_ptr<Content> content_;
};

// Limits of a WebSocket.
class WebSocketOptions {
 public:
  // Messages and bytes that are kept while nobody receives; a peer that sends more is cut off, by 1009: the
  // host cannot hold it back.
  std::size_t messages_max = 1000;
  std::size_t bytes_max = 4 * MiB;
};

// One end of a connection. At most one `receive` at a time. Destroying it closes the connection with 1001,
// going away, unless it is closed already; its tasks must be gone by then.
class WebSocket {
 public:
  virtual ~WebSocket() = default;

  // Waits for the next message; nullopt once the peer has closed the connection, and all that came before was
  // received. Fails with `reset` if it broke (1006), with limit_exceeded if it was cut off by
  // WebSocketOptions. Cancelling it loses no message.
  virtual Task<std::optional<WebSocketMessage>> receive() = 0;
  // Sends a message. Finishes when the host has taken it. Fails with `reset` if the connection is closed,
  // with invalid_argument for text that is not UTF-8.
  virtual Task<> send(WebSocketMessage message) = 0;
  // Sends a message that goes to others too. A server of this library's own does not copy it, nor compress
  // it; elsewhere it is as `send` with a copy.
  virtual Task<> send_shared(SharedWebSocketMessage message);
  // Closes the connection, if it is open: no message can be sent any more. `code` is 1000 or 3000 to 4999
  // (else 1000 is sent), `reason` at most 123 bytes of UTF-8 (else it is cut off). Messages that were sent
  // before still arrive.
  virtual void close(int code = 1000, std::string reason = {}) = 0;

  // Returns the code and reason with which the peer has closed; 0 as long as it has not, 1005 without a code,
  // 1006 if the connection broke.
  virtual int close_code() const = 0;
  virtual const std::string& close_reason() const = 0;

 protected:
  // Bring the arguments of `close` within the limits, for implementations.
  static int sendable_code(int code) { return code == 1000 || (code >= 3000 && code <= 4999) ? code : 1000; }
  static std::string sendable_reason(std::string reason);
};

// Returns whether `text` is valid UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

}  // namespace escapement
