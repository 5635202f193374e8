// web_socket_pair: two connected WebSockets in one reactor, natively and in simulations.

#pragma once

#include <memory>

#include <escapement/io/web_socket.h>

namespace escapement {

// The two ends of a connection.
class WebSocketEnds {
 public:
  WebSocketEnds(std::unique_ptr<WebSocket> a, std::unique_ptr<WebSocket> b)
      : first(std::move(a)), second(std::move(b)) {}
  std::unique_ptr<WebSocket> first;   // one end
  std::unique_ptr<WebSocket> second;  // the other end
};

// Makes two connected ends. Each keeps at most what `options` say.
WebSocketEnds web_socket_pair(WebSocketOptions options = WebSocketOptions());

}  // namespace escapement
