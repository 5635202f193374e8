// HibernatingObject: a DurableObject with WebSockets that outlive its instance. While nothing comes, the host
// destroys the instance and keeps the connections; the next message makes a new one.
//
//     class Room final : public HibernatingObject {
//      public:
//       Room(Reactor&, DurableStorage&, DurableWebSockets& sockets) : sockets_(sockets) {}
//       Task<> web_socket_message(DurableWebSocket& from, WebSocketMessage message) override {
//         for (const std::shared_ptr<DurableWebSocket>& socket : sockets_.all()) {
//           Result<> sent = co_await socket->send(from.attachment() + ": " + message.data).result();
//         }
//       }
//       ...
//     };
//
// In a Worker it is exported by ESC_HIBERNATING_OBJECT (wasm_glue/hibernating_object.h); natively and in
// simulations MemoryHibernatingObject (memory_hibernating_object.h) runs it.
//
// Source: https://developers.cloudflare.com/durable-objects/best-practices/websockets/

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/io/bindings/durable_object.h>
#include <escapement/io/web_socket.h>

namespace escapement {

// A connection that the host keeps. The object is told its messages (HibernatingObject): `receive` fails with
// unsupported. Destroying the object does not close it.
class DurableWebSocket : public WebSocket {
 public:
  static constexpr std::size_t attachment_bytes_max = 2048;  // of an attachment

  // Fails with unsupported.
  Task<std::optional<WebSocketMessage>> receive() final;

  // Returns the tags that it was accepted with.
  virtual std::vector<std::string> tags() const = 0;
  // Returns what was attached to it last; empty: nothing. It outlives the instance.
  virtual std::string attachment() const = 0;
  // Attaches text to it: all that a new instance knows of the connection. Fails with limit_exceeded if it is
  // longer than `attachment_bytes_max`, or than the host keeps.
  virtual Result<> attach(std::string text) = 0;

 protected:
  // Checks an attachment, for implementations.
  static Result<> check_attachment(std::string_view text);
};

// The connections of an object. Lives as long as the object.
class DurableWebSockets {
 public:
  virtual ~DurableWebSockets() = default;

  // Returns the open connections with `tag`, empty: all. One that closes meanwhile can be used on, but to no
  // effect.
  virtual std::vector<std::shared_ptr<DurableWebSocket>> all(std::string_view tag = {}) = 0;
  // From now on the host answers a text message that is `request` by `response`, without waking the object:
  // for pings. An empty request ends that. Fails with limit_exceeded, and changes nothing, if one of them is
  // longer than `auto_response_bytes_max`.
  virtual Result<> set_auto_response(std::string request, std::string response) = 0;
  static constexpr std::size_t auto_response_bytes_max = 2048;

 protected:
  // Checks both, for implementations.
  static Result<> check_auto_response(std::string_view request, std::string_view response);
};

// The settings of a connection that is accepted.
class WebSocketAcceptance {
 public:
  WebSocketAcceptance() {}
  static constexpr std::size_t tags_max = 10;        // of one connection
  static constexpr std::size_t tag_bytes_max = 256;  // of a tag
  std::vector<std::string> tags;                     // to find it by; different ones, and none of them empty
  std::string attachment;                            // its first attachment; empty: none
  std::string protocol;  // the subprotocol that was chosen of those the client speaks; empty: none

  // Fails with limit_exceeded for too many or too long ones.
  Result<> check() const;
};

// All tasks of an instance run in one reactor. An instance with a handler that waits is not put to sleep.
class HibernatingObject : public DurableObject {
 public:
  // Decides about a request for a WebSocket. Yields how to accept it; nullopt: `fetch` responds instead.
  // Accepts it by default, without tags. `request` lives as long as the task.
  virtual Task<std::optional<WebSocketAcceptance>> accept(const http::Request& request);
  // Called for each message; those of one connection come one after the other. A failure is reported to the
  // host, and the connection stays.
  virtual Task<> web_socket_message(DurableWebSocket& socket, WebSocketMessage message) = 0;
  // Called when the peer has closed the connection: with its code, 1005 without one. The socket is gone
  // afterwards. Does nothing by default.
  virtual Task<> web_socket_closed(DurableWebSocket& socket, int code, std::string reason);
  // Called when the connection broke. The socket is gone afterwards. Does nothing by default.
  virtual Task<> web_socket_broken(DurableWebSocket& socket);
};

// Makes the object, when something has come for it. The storage and the sockets outlive it.
using MakeHibernatingObject =
    std::function<std::unique_ptr<HibernatingObject>(Reactor&, DurableStorage&, DurableWebSockets&)>;

}  // namespace escapement
