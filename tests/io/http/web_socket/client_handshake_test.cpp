// The client's handshake of WebSocket over HTTP/1.1: servers that answer otherwise, or at once, or not at
// all.

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/proxy.h>
#include <escapement/io/http/web_socket.h>
#include <escapement/io/http/web_socket/handshake.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;
using namespace std::string_literals;

namespace {

// Answers the request with `answer`, in which ACCEPT stands for what belongs to its key.
Task<> answer_handshake(std::unique_ptr<Stream> stream, std::string answer) {
  std::vector<std::byte> room(4096);
  const std::size_t count = co_await stream->read(room);
  const std::string request(as_text(Bytes(room).first(count)));
  const std::string_view name = "Sec-WebSocket-Key: ";
  const std::string key = request.substr(request.find(name) + name.size(), 24);
  const std::size_t at = answer.find("ACCEPT");
  if (at != answer.npos) answer.replace(at, 6, http::detail::web_socket_accept(key));
  co_await stream->write(as_bytes(answer));
  co_await stream->shutdown_write();
  co_await sleep(1s);
}

Task<> serve_once(Network& network, std::string answer) {
  std::unique_ptr<Listener> listener = co_await network.listen("s:80");
  std::unique_ptr<Stream> stream = co_await listener->accept();
  co_await answer_handshake(std::move(stream), std::move(answer));
}

// A proxy in front of the server; `heard` is the head with which it was asked.
Task<> serve_once_by_proxy(Network& network, std::string answer, std::string& heard) {
  std::unique_ptr<Listener> listener = co_await network.listen("p:3128");
  std::unique_ptr<Stream> stream = co_await listener->accept();
  std::vector<std::byte> room(4096);
  const std::size_t count = co_await stream->read(room);
  heard = as_text(Bytes(room).first(count));
  co_await stream->write(as_bytes("HTTP/1.1 200 Tunnel\r\n\r\n"));
  co_await answer_handshake(std::move(stream), std::move(answer));
}

const std::string agrees =
    "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n";

// A frame of a server.
std::string plain(int first, std::string_view payload) {
  return std::string(1, static_cast<char>(first)) + static_cast<char>(payload.size()) + std::string(payload);
}

}  // namespace

TEST_CASE("WebSocket over HTTP: servers that answer otherwise") {
  const auto [answer, expected] = GENERATE(table<std::string, std::string>({
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "bad_message: the server answered with status 200"},
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
       "permission_denied: the server answered with status 403"},
      {"HTTP/1.1 101 x\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n",
       "bad_message: the server switched to a"},
      {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
       "bad_message: the server's Sec-WebSocket-Accept"},
      {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
       "bad_message: the server's Sec-WebSocket-Accept"},
      {agrees + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
       "bad_message: the server uses an ext"},
      {agrees + "Sec-WebSocket-Protocol: v3\r\n\r\n", "bad_message: the server chose a subprotocol"},
      {agrees + "Sec-WebSocket-Protocol: V1\r\n\r\n", "bad_message: the server chose a subprotocol"},
      {"nonsense\r\n\r\n", "bad_message: "},
      {"", "reset: the server closed the connection instead of answering"},
  }));
  Sim sim;
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(serve_once(sim.network(), answer));
  sim.settle();
  http::WebSocketConnectOptions options;
  options.protocols = {"v1", "v2"};
  const Result<http::ConnectedWebSocket> connected =
      sim.run(http::connect_web_socket(sim.network(), "ws://s/", options));
  REQUIRE(!connected);
  CHECK(to_string(connected.error()).substr(0, expected.size()) == expected);
}

TEST_CASE("WebSocket over HTTP: URLs and fields that are refused before anything is sent") {
  Sim sim;
  const auto refused = [&](const std::string& url, http::WebSocketConnectOptions options = {}) {
    const Result<http::ConnectedWebSocket> connected =
        sim.run(http::connect_web_socket(sim.network(), url, std::move(options)));
    REQUIRE(!connected);
    return std::string(name(connected.error().code()));
  };
  CHECK(refused("http://s/") == "invalid_argument");
  CHECK(refused("ws://s/#fragment") == "invalid_argument");
  CHECK(refused("ws:///") == "invalid_argument");
  CHECK(refused("wss://s/") == "unsupported");
  http::WebSocketConnectOptions options;
  options.headers.set("Sec-WebSocket-Key", "mine");
  CHECK(refused("ws://s/", options) == "invalid_argument");
  http::WebSocketConnectOptions split;
  split.protocols = {"a\r\nb"};
  CHECK(refused("ws://s/", split) == "invalid_argument");
  CHECK(refused("ws://nobody/") == "not_found");
}

TEST_CASE("WebSocket over HTTP: a server that speaks at once, and the subprotocol that it chose") {
  Sim sim;
  Scope scope(sim.reactor(), [](Error) {});
  const std::string frames = plain(0x81, "first") + plain(0x89, "") + plain(0x81, "second");
  scope.spawn(serve_once(sim.network(), agrees + "Sec-WebSocket-Protocol: v2\r\n\r\n" + frames));
  sim.settle();
  http::WebSocketConnectOptions options;
  options.protocols = {"v1", "v2"};
  Result<http::ConnectedWebSocket> connected =
      sim.run(http::connect_web_socket(sim.network(), "ws://s/", options));
  REQUIRE(connected);
  CHECK(connected->protocol == "v2");
  for (const char* const expected : {"first", "second"}) {
    const Result<std::optional<WebSocketMessage>> message = sim.run(connected->socket->receive());
    REQUIRE(message);
    REQUIRE(*message);
    CHECK((*message)->data == expected);
  }
}

TEST_CASE("WebSocket over HTTP: wss speaks over what `encrypt` makes") {
  Sim sim;
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(serve_once(sim.network(), agrees + "\r\n" + plain(0x81, "a")));
  sim.settle();
  std::string hosts;
  http::WebSocketConnectOptions options;
  options.encrypt = [&hosts](std::unique_ptr<Stream> stream,
                             std::string host) -> Task<std::unique_ptr<Stream>> {
    hosts += host + "; ";
    co_return std::move(stream);
  };
  const bool trusted = GENERATE(true, false);
  if (!trusted) {
    options.encrypt = [](std::unique_ptr<Stream>, std::string) -> Task<std::unique_ptr<Stream>> {
      co_return Error(Errc::untrusted, "not this one");
    };
  }
  Result<http::ConnectedWebSocket> connected =
      sim.run(http::connect_web_socket(sim.network(), "wss://s:80/", options));
  REQUIRE(static_cast<bool>(connected) == trusted);
  if (!trusted) {
    CHECK(connected.error() == Errc::untrusted);
    return;
  }
  CHECK(hosts == "s; ");
  CHECK(connected->protocol == "");
  const Result<std::optional<WebSocketMessage>> message = sim.run(connected->socket->receive());
  REQUIRE(message);
  REQUIRE(*message);
  CHECK((*message)->data == "a");
}

TEST_CASE("WebSocket over HTTP: through a proxy, ws and wss alike by a tunnel") {
  const auto [url, asked] = GENERATE(table<std::string, std::string>(
      {{"ws://s/", "CONNECT s:80 HTTP/1.1\r\nHost: s:80\r\n"},
       {"wss://s/", "CONNECT s:443 HTTP/1.1\r\nHost: s:443\r\n"},
       {"ws://[2001:db8::1]:81/", "CONNECT [2001:db8::1]:81 HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n"}}));
  Sim sim;
  Scope scope(sim.reactor(), [](Error) {});
  std::string heard, encrypted_for;
  scope.spawn(serve_once_by_proxy(sim.network(), agrees + "\r\n" + plain(0x81, "a"), heard));
  sim.settle();
  http::WebSocketConnectOptions options;
  options.route = http::through(http::ProxyRules::all_through(*http::Proxy::parse("http://u:p@p:3128")));
  options.encrypt = [&](std::unique_ptr<Stream> stream, std::string host) -> Task<std::unique_ptr<Stream>> {
    encrypted_for += host;
    co_return std::move(stream);
  };
  Result<http::ConnectedWebSocket> connected = sim.run(http::connect_web_socket(sim.network(), url, options));
  REQUIRE(connected);
  CHECK(heard.starts_with(asked));
  CHECK(heard.find("\r\nProxy-Authorization: Basic dTpw\r\n") != heard.npos);
  CHECK(encrypted_for == (url.starts_with("wss") ? "s" : ""));
  const Result<std::optional<WebSocketMessage>> message = sim.run(connected->socket->receive());
  REQUIRE((message && *message));
  CHECK((*message)->data == "a");
}

TEST_CASE("WebSocket over HTTP: a proxy that cannot be reached is named") {
  Sim sim;
  http::WebSocketConnectOptions options;
  options.route = http::through(http::ProxyRules::all_through(*http::Proxy::parse("http://p:3128")));
  const Result<http::ConnectedWebSocket> connected =
      sim.run(http::connect_web_socket(sim.network(), "ws://s/", options));
  REQUIRE(!connected);
  CHECK(connected.error().fault() == Fault::proxy_unreachable);
}

TEST_CASE("WebSocket over HTTP: a server that does not answer is waited for within the limit, never less") {
  Sim sim;
  Scope scope(sim.reactor(), [](Error) {});
  const auto silent = [](Network& network) -> Task<> {
    std::unique_ptr<Listener> listener = co_await network.listen("s:80");
    std::unique_ptr<Stream> stream = co_await listener->accept();
    co_await sleep(1h);
  };
  scope.spawn(silent(sim.network()));
  sim.settle();
  http::WebSocketConnectOptions options;
  options.connect_timeout = 3s;
  const Instant began = sim.reactor().now();
  const Result<http::ConnectedWebSocket> connected =
      sim.run(http::connect_web_socket(sim.network(), "ws://s/", options));
  REQUIRE(!connected);
  CHECK(connected.error() == Errc::timed_out);
  CHECK(sim.reactor().now() - began >= Duration(3s));
  CHECK(sim.reactor().now() - began <= Duration(3s + 10ms));
}
