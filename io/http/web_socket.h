// WebSocket over this library's own HTTP/1.1 (RFC 6455), as a server and as a client.
//
//     Task<> echo(WebSocket& socket) {
//       while (std::optional<WebSocketMessage> message = co_await socket.receive()) {
//         co_await socket.send(*std::move(message));
//       }
//     }
//
//     Task<http::Response> handle(http::Request request) {
//       co_return http::accept_web_socket(request, echo);
//     }
//
//     http::ConnectedWebSocket echo = co_await http::connect_web_socket(network, "ws://10.0.0.1/echo");
//     co_await echo.socket->send("hello");
//
// Both give a WebSocket (io/web_socket.h), the interface that Workers and browsers have too, with
// these differences. The peer is held back instead of cut off: bytes are read from the stream only while
// somebody receives, at most 16 KiB ahead of a message, so WebSocketOptions do not apply. And `send` finishes
// when the transport has taken the message.
//
// Pings are answered, and sent, while somebody receives: a program that does not receive for long looks to
// its peer like one that hangs. A peer that breaks the protocol is closed with 1002, one whose text is not
// UTF-8, or damaged as it is decompressed, with 1007, one whose message is too long with 1009; `receive` then
// fails with bad_message or limit_exceeded.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/core/time.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/message.h>
#include <escapement/io/http/route.h>
#include <escapement/io/http/web_socket_compression.h>
#include <escapement/io/stream.h>
#include <escapement/io/web_socket.h>

namespace escapement::http {

// Limits of a WebSocket, either end's. Duration::max() is no limit.
class WebSocketLimits {
 public:
  // A message of the peer, in bytes, all its fragments together.
  std::size_t message_max = 1 * MiB;
  // From a message's first byte to its last, while somebody receives.
  Duration message_time = 5min;
  // While somebody receives, a connection that is silent for so long is asked by a ping whether it lives. One
  // that takes more of a long message is not silent.
  Duration ping_every = 30s;
  // So long after the ping was written something must have come, or the connection is broken off.
  Duration pong_within = 20s;
  // A write of which the transport takes less than 1 KiB in that time breaks the connection off.
  Duration stall_timeout = 30s;
  // After the own close was written, behind all that was sent before: for the peer to close as well.
  Duration close_timeout = 5s;
};

// Speaks with a client until it has finished. The socket lives as long as the task; one that is still open
// then is closed with 1000, with 1011 if the task failed.
using WebSocketHandler = std::function<Task<>(WebSocket&)>;

// Settings of accept_web_socket.
class WebSocketAcceptOptions {
 public:
  // The limits of the connection.
  WebSocketLimits limits = {};
  // The subprotocols that are spoken, the best first. The first of them that the client offers is agreed on.
  std::vector<std::string> protocols = {};
  // The origins whose pages may connect, as "https://example.com". Browsers send cookies to whatever page
  // connects, so by default a request with an Origin must be from a page of the same host and port; "*"
  // allows all. Requests without an Origin are not from browsers, and are allowed.
  std::vector<std::string> origins = {};
  // Makes messages shorter for clients that ask for it: a PermessageDeflate, natively. Null: never.
  std::shared_ptr<const WebSocketCompression> compression = nullptr;
};

// Returns the response that begins a WebSocket, a 101, if `request` asks for one in the right way. Else a
// 426 (it asks for none, or for another version), a 400 (a malformed key or method) or a 403 (a page of
// another origin). The handler is called when the 101 was sent; its failure is reported to
// Server::on_failure.
//
// The server's time limits do not apply any more, those of the socket do; its limit of connections still
// counts this one. Cancelled with the server, and when a shutdown's grace is over (upgrade.h).
Response accept_web_socket(const Request& request, WebSocketHandler handler,
                           WebSocketAcceptOptions options = WebSocketAcceptOptions());

// Settings of connect_web_socket.
class WebSocketConnectOptions {
 public:
  // The limits of the connection.
  WebSocketLimits limits = {};
  // The subprotocols to offer, the best first. If the server chooses another one, the connection fails.
  std::vector<std::string> protocols = {};
  // Further fields of the request, such as Origin and Authorization. Those of the handshake may not be among
  // them: invalid_argument.
  Headers headers = {};
  // Name, addresses, encryption and handshake together.
  Duration connect_timeout = 30s;
  // For wss, as ClientOptions::encrypt: a TlsClient (tls.h). Null: wss fails with Errc::unsupported.
  Encrypt encrypt = nullptr;
  // Returns 32 random bits that the peer and scripts cannot foretell, for masks and keys (RFC 6455 section
  // 10.3). Null: the platform's (std::random_device). Simulations give one that can be repeated.
  std::function<std::uint32_t()> random_bits = nullptr;
  // The way to the server, where that is not the straight one: http::through(rules) (proxy.h), a tunnel
  // through the proxy for https URLs, for ws too (RFC 6455 section 4.1).
  std::shared_ptr<const ClientRoute> route = nullptr;
  // Asks the server to make messages shorter: a PermessageDeflate, natively. A server need not. Null: never.
  std::shared_ptr<const WebSocketCompression> compression = nullptr;
};

// A WebSocket of a client, and what was agreed on.
class ConnectedWebSocket {
 public:
  // The connection. Destroying it closes it with 1001.
  std::unique_ptr<WebSocket> socket;
  // The subprotocol that the server chose; empty: none.
  std::string protocol;
};

// Connects to a ws or wss URL, without a fragment. Fails as Network::connect does; with invalid_argument for
// another URL or a field that may not be sent; with timed_out; with bad_message for a server that answers
// otherwise, and permission_denied where that is a 401 or 403. Redirects are not followed.
Task<ConnectedWebSocket> connect_web_socket(Network& network, std::string url,
                                            WebSocketConnectOptions options = WebSocketConnectOptions());

}  // namespace escapement::http
