// WebSocket over HTTP/1.1: a server and a client of ours, and peers that break the rules, in simulated time.

#include <escapement/io/http/web_socket.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/core/sequence.h>
#include <escapement/io/http/server.h>
#include <escapement/io/http/web_socket/connection.h>
#include <escapement/io/http/web_socket/frames.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/raw_http.h"

using namespace escapement;
using namespace std::string_literals;

namespace {

struct World {
  explicit World(SimNetworkOptions network = {}, http::WebSocketAcceptOptions options = {})
      : sim(Seed{1}, network),
        accept_options(std::move(options)),
        server(http::Service([this](http::Request request) { return handle(*this, std::move(request)); })),
        scope(sim.reactor(), [](Error) {}) {
    server.on_failure = [this](const Error& error) { failures += to_string(error) + "; "; };
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }

  static Task<http::Response> handle(World& world, http::Request request) {
    const auto handler = request.url.path() == "/deaf"    ? &deaf
                         : request.url.path() == "/fails" ? &fails
                         : request.url.path() == "/pours" ? &pours
                         : request.url.path() == "/three" ? &three
                                                          : &echo;
    co_return http::accept_web_socket(
        request, [handler, &world](WebSocket& socket) { return handler(world, socket); },
        world.accept_options);
  }
  static Task<> echo(World& world, WebSocket& socket) {
    for (;;) {
      Result<std::optional<WebSocketMessage>> message = co_await socket.receive().result();
      if (!message) world.failures += to_string(message.error()) + "; ";
      if (!message || !*message) break;
      co_await socket.send(**std::move(message));
    }
    world.ends += std::to_string(socket.close_code()) + ' ' + socket.close_reason() + "; ";
  }
  // Leaves 3 MB to be sent.
  static Task<> pours(World&, WebSocket& socket) {
    for (int i = 0; i < 3; ++i) {
      Result<> sent = co_await with_timeout(Duration(), socket.send(std::string(1'000'000, 'x'))).result();
      (void)sent;
    }
  }
  // Sends three messages at once, and receives.
  static Task<> three(World& world, WebSocket& socket) {
    co_await sleep(200ms);
    Scope sending(world.sim.reactor(), [](Error) {});
    for (int i = 0; i < 3; ++i) sending.spawn(socket.send(std::string(40'000, 'x')));
    co_await echo(world, socket);
  }
  static Task<> deaf(World&, WebSocket&) { co_await sleep(1h); }
  static Task<> fails(World&, WebSocket&) { co_await Error(Errc::internal, "no echo today"); }

  http::WebSocketConnectOptions connect_options() {
    http::WebSocketConnectOptions options;
    options.random_bits = [this] { return static_cast<std::uint32_t>(random.next()); };
    return options;
  }
  std::unique_ptr<WebSocket> connect(const std::string& path = "/") {
    Result<http::ConnectedWebSocket> connected =
        sim.run(http::connect_web_socket(sim.network(), "ws://s" + path, connect_options()));
    REQUIRE(connected);
    return std::move(connected->socket);
  }
  // A connection whose client speaks in bytes.
  std::unique_ptr<Stream> open(const std::string& path = "/") {
    Result<std::unique_ptr<Stream>> stream = sim.run(sim.network().connect("s", 80));
    REQUIRE(stream);
    REQUIRE(sim.run((*stream)->write(as_bytes(asks(path)))));
    const std::string answer = test::read_for(sim, **stream, 100ms);
    REQUIRE(answer.find("HTTP/1.1 101 Switching Protocols\r\n") == 0);
    REQUIRE(answer.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != answer.npos);
    return std::move(*stream);
  }
  static std::string asks(const std::string& path = "/", const std::string& more = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + more + "\r\n";
  }
  std::string answer(const std::string& request) {
    Result<std::unique_ptr<Stream>> stream = sim.run(sim.network().connect("s", 80));
    REQUIRE(stream);
    REQUIRE(sim.run((*stream)->write(as_bytes(request))));
    return test::read_for(sim, **stream, 100ms);
  }

  Sim sim;
  Random random{5};
  std::string failures;
  std::string ends;
  http::WebSocketAcceptOptions accept_options;
  http::Server server;
  Scope scope;
};

// Frames of a client; the mask is zero, and so not visible.
std::string masked(int first, std::string_view payload) {
  std::string bytes(1, static_cast<char>(first));
  bytes += static_cast<char>(0x80 | payload.size());
  return bytes + "\0\0\0\0"s + std::string(payload);
}
std::string plain(int first, std::string_view payload) {
  return std::string(1, static_cast<char>(first)) + static_cast<char>(payload.size()) + std::string(payload);
}

}  // namespace

TEST_CASE("WebSocket over HTTP: messages both ways, over every kind of network, then the closes") {
  const auto network =
      GENERATE(SimNetworkOptions{}, SimNetworkOptions{.latency = 40ms, .jitter = 30ms},
               SimNetworkOptions{.latency = 2ms, .jitter = 5ms, .buffer = 2100, .chunk_max = 64},
               SimNetworkOptions{.latency = 1ms, .chunk_max = 1});
  World world(network);
  std::unique_ptr<WebSocket> socket = world.connect();
  const auto talk = [](WebSocket& socket) -> Task<std::string> {
    std::string wrong;
    for (const std::size_t size : {0, 1, 125, 126, 127, 128, 129, 5000, 16384, 65535, 65536, 200'000}) {
      const WebSocketMessage sent = size % 2 == 0 ? WebSocketMessage(std::string(size, 'x'))
                                                  : WebSocketMessage::binary(std::string(size, '\xff'));
      co_await socket.send(sent);
      std::optional<WebSocketMessage> echo = co_await socket.receive();
      if (!echo || *echo != sent) wrong += std::to_string(size) + ' ';
    }
    for (int i = 0; i < 300; ++i) co_await socket.send(std::to_string(i));
    for (int i = 0; i < 300; ++i) {
      std::optional<WebSocketMessage> echo = co_await socket.receive();
      if (!echo || echo->data != std::to_string(i)) wrong += "burst " + std::to_string(i) + ' ';
    }
    socket.close(4000, "done");
    std::optional<WebSocketMessage> last = co_await socket.receive();
    if (last) wrong += "more than was sent ";
    Result<> late = co_await socket.send("late").result();
    if (late || late.error() != Errc::reset) wrong += "late";
    co_return wrong;
  };
  const Result<std::string> wrong = world.sim.run(talk(*socket));
  REQUIRE(wrong);
  CHECK(*wrong == "");
  CHECK(socket->close_code() == 4000);
  world.sim.advance(1s);
  CHECK(world.ends == "4000 done; ");
  CHECK(world.failures == "");
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("WebSocket over HTTP: requests that begin none") {
  World world;
  const std::string get = World::asks();
  const auto without = [&](const std::string& field) {
    std::string text = get;
    const std::size_t at = text.find(field);
    return text.erase(at, text.find("\r\n", at) + 2 - at);
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = get;
    return text.replace(text.find(from), from.size(), to);
  };
  CHECK(test::statuses(world.answer(without("Upgrade: "))) == "426 ");
  CHECK(test::statuses(world.answer(without("Connection: "))) == "426 ");
  CHECK(test::statuses(world.answer(without("Sec-WebSocket-Key"))) == "400 ");
  CHECK(test::statuses(world.answer(with("25jZQ==", "25jZQ="))) == "400 ");
  CHECK(test::statuses(world.answer(with("GET", "DELETE"))) == "400 ");
  const std::string other = world.answer(with("Version: 13", "Version: 8"));
  CHECK(test::statuses(other) == "426 ");
  CHECK(other.find("Sec-WebSocket-Version: 13\r\n") != other.npos);
  CHECK(world.failures == "");
}

TEST_CASE("WebSocket over HTTP: pages of other origins, and subprotocols") {
  http::WebSocketAcceptOptions options;
  options.protocols = {"v2", "v1"};
  {
    World world({}, options);
    CHECK(test::statuses(world.answer(World::asks("/", "Origin: https://evil.test\r\n"))) == "403 ");
    CHECK(test::statuses(world.answer(World::asks("/", "Origin: null\r\n"))) == "403 ");
    CHECK(test::statuses(world.answer(World::asks("/", "Origin: https://S\r\n"))) == "101 ");
    const std::string agreed = world.answer(World::asks("/", "Sec-WebSocket-Protocol: v0, v1, v2\r\n"));
    CHECK(agreed.find("Sec-WebSocket-Protocol: v2\r\n") != agreed.npos);
    const std::string cased = world.answer(World::asks("/", "Sec-WebSocket-Protocol: V2,v1\r\n"));
    CHECK(cased.find("Sec-WebSocket-Protocol: v1\r\n") != cased.npos);
    const std::string none = world.answer(World::asks("/", "Sec-WebSocket-Protocol: v0\r\n"));
    CHECK(none.find("Sec-WebSocket-Protocol") == none.npos);
  }
  options.origins = {"https://friend.test"};
  World world({}, options);
  CHECK(test::statuses(world.answer(World::asks("/", "Origin: https://friend.test\r\n"))) == "101 ");
  CHECK(test::statuses(world.answer(World::asks("/", "Origin: https://s\r\n"))) == "403 ");
}

TEST_CASE("WebSocket over HTTP: a peer that breaks a rule is told, and the program too") {
  const auto broken = [](const std::string& bytes) {
    World world;
    std::unique_ptr<Stream> stream = world.open();
    REQUIRE(world.sim.run(stream->write(as_bytes(bytes))));
    const std::string answer = test::read_for(world.sim, *stream, 100ms);
    REQUIRE(world.sim.run(stream->shutdown_write()));
    world.sim.advance(10s);
    CHECK(world.server.statistics().open == 0);
    return answer.substr(0, 4) + " " + world.failures;
  };
  CHECK(broken(masked(0x83, "a")) == "\x88\x1c\x03\xea bad_message: a frame of an unknown kind; ");
  CHECK(broken(masked(0x81, "\xff")).substr(0, 17) == "\x88\x15\x03\xef bad_message:");
  CHECK(broken(plain(0x81, "a")).substr(2, 15) == "\x03\xea bad_message:");
  CHECK(broken("\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01"s + "\0\0\0\0"s) ==
        "\x88\x17\x03\xf1 limit_exceeded: a message is too long; ");
}

TEST_CASE("WebSocket over HTTP: a connection that ends without a close") {
  World world;
  std::unique_ptr<Stream> stream = world.open();
  REQUIRE(world.sim.run(stream->write(as_bytes(masked(0x81, "a")))));
  CHECK(test::read_for(world.sim, *stream, 100ms) == plain(0x81, "a"));
  const bool resets = GENERATE(false, true);
  if (resets) stream->reset_on_close();
  stream.reset();
  world.sim.advance(100ms);
  CHECK(world.ends == "1006 ; ");
  CHECK(world.failures.substr(0, 7) == "reset: ");
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("WebSocket over HTTP: pings are answered, between the fragments too; pongs are not") {
  World world;
  std::unique_ptr<Stream> stream = world.open();
  REQUIRE(world.sim.run(stream->write(
      as_bytes(masked(0x01, "a") + masked(0x89, "one") + masked(0x8a, "two") + masked(0x80, "b")))));
  CHECK(test::read_for(world.sim, *stream, 100ms) == plain(0x8a, "one") + plain(0x81, "ab"));
}

TEST_CASE("WebSocket over HTTP: a silent peer is asked, and cut off if it does not answer, never early") {
  World world;
  std::unique_ptr<Stream> stream = world.open();
  const Duration before = 30s - 100ms - 1ms;  // since the socket was opened, 100 ms have gone
  CHECK(test::read_for(world.sim, *stream, before) == "");
  CHECK(test::read_for(world.sim, *stream, 3ms) == plain(0x89, ""));
  REQUIRE(world.sim.run(stream->write(as_bytes(masked(0x8a, "")))));
  CHECK(test::read_for(world.sim, *stream, 31s) == plain(0x89, ""));
  CHECK(test::read_for(world.sim, *stream, 18s) == "");
  CHECK(test::read_for(world.sim, *stream, 2s) == " reset");
  CHECK(world.failures == "reset: the WebSocket's peer did not answer a ping; ");
  CHECK(world.ends == "1006 ; ");
}

TEST_CASE("WebSocket over HTTP: a message that never becomes whole is cut off") {
  World world;
  std::unique_ptr<Stream> stream = world.open();
  const auto trickle = [](Stream& stream) -> Task<> {
    std::string bytes = masked(0x81, std::string(125, 'x'));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      co_await stream.write(as_bytes(std::string_view(bytes).substr(at, 1)));
      co_await sleep(10s);
    }
  };
  const Instant began = world.sim.reactor().now();
  const Result<> cut = world.sim.run(trickle(*stream));
  REQUIRE(!cut);
  CHECK(world.sim.reactor().now() - began >= Duration(5min));
  CHECK(world.sim.reactor().now() - began <= Duration(5min + 10s));
  CHECK(world.failures == "reset: a WebSocket's message took longer than its limit; ");
}

TEST_CASE("WebSocket over HTTP: a handler that ends closes; one that fails says so") {
  World world;
  std::unique_ptr<WebSocket> socket = world.connect("/fails");
  const Result<std::optional<WebSocketMessage>> end = world.sim.run(socket->receive());
  REQUIRE(end);
  CHECK(!*end);
  CHECK(socket->close_code() == 1011);
  world.sim.advance(1s);
  CHECK(world.failures == "internal: no echo today; ");
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("WebSocket over HTTP: a client that goes away says so, also with messages unread") {
  World world;
  std::unique_ptr<WebSocket> socket = world.connect();
  const int unread = GENERATE(0, 1, 20);
  for (int i = 0; i < unread; ++i) REQUIRE(world.sim.run(socket->send(std::string(1000, 'a'))));
  world.sim.advance(10ms);
  socket.reset();
  world.sim.advance(100ms);
  CHECK(world.ends == "1001 ; ");
  CHECK(world.failures == "");
}

TEST_CASE("WebSocket over HTTP: a peer that does not read holds the sender back, and is cut off at last") {
  World world({.buffer = 4096});
  std::unique_ptr<WebSocket> socket = world.connect("/deaf");
  const auto pour = [](WebSocket& socket, std::size_t& sent) -> Task<> {
    for (;; ++sent) co_await socket.send(WebSocketMessage::binary(std::string(1000, 'x')));
  };
  std::size_t sent = 0;
  const Instant began = world.sim.reactor().now();
  const Result<> end = world.sim.run(pour(*socket, sent));
  REQUIRE(!end);
  CHECK(end.error() == Errc::reset);
  CHECK(sent < 20);
  CHECK(world.sim.reactor().now() - began >= Duration(30s));
  CHECK(world.sim.reactor().now() - began <= Duration(31s));
}

TEST_CASE("WebSocket over HTTP: a cancelled receive loses no message, a cancelled send none of another's") {
  World world({.latency = 3ms, .chunk_max = 7});
  std::unique_ptr<WebSocket> socket = world.connect();
  const auto talk = [](WebSocket& socket) -> Task<std::string> {
    std::string received;
    for (int i = 0; i < 50; ++i) {
      const std::string text = "message " + std::to_string(i);
      Result<> sent = co_await with_timeout(Duration(1ms) * (i % 3), socket.send(text)).result();
      (void)sent;
    }
    for (int timeouts = 0; timeouts < 400;) {
      Result<std::optional<WebSocketMessage>> message = co_await with_timeout(1ms, socket.receive()).result();
      if (!message) {
        ++timeouts;
      } else if (*message) {
        received += (*message)->data + ';';
      }
    }
    co_return received;
  };
  const Result<std::string> received = world.sim.run(talk(*socket));
  REQUIRE(received);
  std::string all;
  for (int i = 0; i < 50; ++i) all += "message " + std::to_string(i) + ';';
  CHECK(*received == all);
}

TEST_CASE("WebSocket over HTTP: receiving in short tries does not put the ping off") {
  World world;
  std::unique_ptr<WebSocket> socket = world.connect("/deaf");
  const auto poll = [](WebSocket& socket) -> Task<std::string> {
    for (;;) {
      Result<std::optional<WebSocketMessage>> message = co_await with_timeout(1s, socket.receive()).result();
      if (!message && message.error() != Errc::timed_out) co_return to_string(message.error());
    }
  };
  const Instant began = world.sim.reactor().now();
  const Result<std::string> end = world.sim.run(poll(*socket));
  REQUIRE(end);
  CHECK(*end == "reset: the WebSocket's peer did not answer a ping");
  CHECK(world.sim.reactor().now() - began >= Duration(50s));
  CHECK(world.sim.reactor().now() - began <= Duration(52s));
}

TEST_CASE("WebSocket over HTTP: a peer that does not close is waited for within the limit") {
  World world;
  std::unique_ptr<WebSocket> socket = world.connect("/deaf");
  const auto leave = [](WebSocket& socket) -> Task<std::optional<WebSocketMessage>> {
    socket.close();
    std::optional<WebSocketMessage> last = co_await socket.receive();
    co_return std::move(last);
  };
  const Instant began = world.sim.reactor().now();
  const Result<std::optional<WebSocketMessage>> end = world.sim.run(leave(*socket));
  REQUIRE(!end);
  CHECK(end.error() == Errc::reset);
  CHECK(world.sim.reactor().now() - began >= Duration(5s));
  CHECK(world.sim.reactor().now() - began <= Duration(6s));
}

namespace {

// A peer that sends pongs without end.
class Flood final : public Stream {
 public:
  explicit Flood(int& reads) : reads_(reads) {}

  std::optional<std::size_t> read_now(MutableBytes into) override {
    if (++reads_ >= 10'000) return std::nullopt;  // so that a failure ends
    return fill(into);
  }
  Task<std::size_t> read_task(MutableBytes into) override {
    if (!take_turn()) co_await yield();
    co_return fill(into);
  }
  Task<> write_task(Bytes) override { co_return; }
  Task<> shutdown_write() override { co_return; }
  bool readable_or_closed() override { return true; }
  std::string peer() const override { return "flood"; }

 private:
  std::size_t fill(MutableBytes into) {
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = std::byte(i % 2 == 0 ? 0x8a : 0);
    return into.size();
  }
  int& reads_;
};

}  // namespace

TEST_CASE("WebSocket over HTTP: a peer that sends pongs without end does not keep others from running") {
  Sim sim;
  int reads = 0;
  http::detail::StreamWebSocket socket(sim.reactor(), std::make_unique<Flood>(reads), http::WebSocketLimits(),
                                       "", [] { return 1U; });
  Scope scope(sim.reactor(), [](Error) {});
  const auto receive = [](WebSocket& socket) -> Task<> { co_await socket.receive(); };
  scope.spawn(receive(socket));
  const auto others = []() -> Task<> {
    for (int i = 0; i < 20; ++i) co_await yield();
  };
  REQUIRE(sim.run(others()));
  CHECK(reads > 20);
  CHECK(reads < 200);
}

TEST_CASE("WebSocket over HTTP: what a handler leaves to be sent arrives, at whatever speed") {
  // The second transport takes everything at once.
  const std::size_t buffer = GENERATE(64 * KiB, 4 * MiB);
  World world({.bandwidth = 100'000, .buffer = buffer});
  std::unique_ptr<WebSocket> socket = world.connect("/pours");
  const Instant began = world.sim.reactor().now();
  for (int i = 0; i < 3; ++i) {
    const Result<std::optional<WebSocketMessage>> message = world.sim.run(socket->receive());
    REQUIRE(message);
    REQUIRE(*message);
    CHECK((*message)->data.size() == 1'000'000);
  }
  const Result<std::optional<WebSocketMessage>> end = world.sim.run(socket->receive());
  REQUIRE(end);
  CHECK(!*end);
  CHECK(socket->close_code() == 1000);
  CHECK(world.sim.reactor().now() - began >= Duration(25s));
  CHECK(world.failures == "");
}

TEST_CASE("WebSocket over HTTP: a peer that takes a long message slowly lives") {
  World world({.bandwidth = 10'000, .buffer = 4096});
  std::unique_ptr<WebSocket> socket = world.connect();
  const auto talk = [](WebSocket& socket) -> Task<std::size_t> {
    Reactor& reactor = co_await this_reactor;
    Scope sending(reactor);
    sending.spawn(socket.send(std::string(900'000, 'x')));
    std::optional<WebSocketMessage> echo = co_await socket.receive();
    co_await sending.join();
    co_return echo ? echo->data.size() : 0;
  };
  const Result<std::size_t> size = world.sim.run(talk(*socket));
  REQUIRE(size);
  CHECK(*size == 900'000);
}

TEST_CASE("WebSocket over HTTP: a write that goes on is no stall, however slow it is") {
  World world({.bandwidth = 500, .buffer = 4096});
  std::unique_ptr<WebSocket> socket = world.connect();
  const Instant began = world.sim.reactor().now();
  CHECK(world.sim.run(socket->send(std::string(100'000, 'x'))));
  CHECK(world.sim.reactor().now() - began >= Duration(180s));
}

TEST_CASE("WebSocket over HTTP: a ping overtakes what has not begun, and its answer has time from then") {
  http::WebSocketAcceptOptions options;
  options.limits.ping_every = 10s;
  options.limits.pong_within = 20s;
  options.limits.stall_timeout = 60s;
  World world({.buffer = 4096}, options);
  std::unique_ptr<Stream> stream = world.open("/three");
  world.sim.advance(40s);
  const std::string came = test::read_for(world.sim, *stream, 10s);
  const std::string message = "\x81\x7e\x9c\x40"s + std::string(40'000, 'x');
  CHECK(came == message + plain(0x89, "") + message + message);
  CHECK(test::read_for(world.sim, *stream, 9s) == "");
  REQUIRE(world.sim.run(stream->write(as_bytes(masked(0x8a, "")))));
  CHECK(test::read_for(world.sim, *stream, 11s) == plain(0x89, ""));
  CHECK(test::read_for(world.sim, *stream, 21s) == " reset");
  CHECK(world.failures == "reset: the WebSocket's peer did not answer a ping; ");
}

TEST_CASE("WebSocket over HTTP: a receive that waits sees the limits of a close and of a write") {
  World world({.buffer = 4096});
  std::unique_ptr<WebSocket> socket = world.connect("/deaf");
  const bool closes = GENERATE(true, false);
  const auto talk = [](WebSocket& socket, bool closes) -> Task<std::string> {
    Reactor& reactor = co_await this_reactor;
    const auto act = [](WebSocket& socket, bool closes) -> Task<> {
      co_await sleep(1s);
      if (closes) socket.close();
      if (!closes) co_await socket.send(std::string(100'000, 'x'));
    };
    Scope acting(reactor, [](Error) {});
    acting.spawn(act(socket, closes));
    Result<std::optional<WebSocketMessage>> end = co_await socket.receive().result();
    co_return end ? "" : to_string(end.error());
  };
  const Instant began = world.sim.reactor().now();
  const Result<std::string> end = world.sim.run(talk(*socket, closes));
  REQUIRE(end);
  CHECK(end->substr(0, 7) == "reset: ");
  const Duration limit = closes ? Duration(5s) : Duration(30s);
  CHECK(world.sim.reactor().now() - began >= 1s + limit);
  CHECK(world.sim.reactor().now() - began <= 1s + limit + 10ms);
}

#ifdef __cpp_exceptions
TEST_CASE("WebSocket over HTTP: destroying one whose random bits fail") {
  World world;
  bool fails = false;
  http::WebSocketConnectOptions options;
  options.random_bits = [&fails] {
    if (fails) throw std::runtime_error("no random bits");
    return 1U;
  };
  Result<http::ConnectedWebSocket> connected =
      world.sim.run(http::connect_web_socket(world.sim.network(), "ws://s/", options));
  REQUIRE(connected);
  fails = true;
  connected->socket.reset();
  world.sim.advance(100ms);
  CHECK(world.ends == "1006 ; ");
}
#endif
