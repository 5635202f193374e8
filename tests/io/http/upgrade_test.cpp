// Connections that leave HTTP: what goes over them, who counts them, what ends them, and who may not.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/http/upgrade.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/observe/access_log.h>
#include <escapement/middleware/observe/metrics.h>
#include <escapement/timers/sleep.h>

#include "support/alive.h"
#include "support/raw_http.h"
#include "support/stream_contract.h"
#include "support/upgrades.h"

using namespace escapement;
using test::Alive;

namespace {

// A 101, whatever the client wanted.
http::Response unasked(const char* upgrade) {
  http::Response response(101);
  response.upgrade = std::make_unique<http::Protocol>([](std::unique_ptr<Stream>) -> Task<> { co_return; });
  if (upgrade != nullptr) response.headers.set("Upgrade", upgrade);
  return response;
}

struct World {
  explicit World(http::ServerOptions options = {})
      : server(http::layered(log, metrics, http::Service([this](http::Request request) {
                               return handle(*this, std::move(request));
                             })),
               options),
        scope(sim.reactor(), [](Error) {}) {
    server.on_failure = [this](const Error& error) { failures += to_string(error) + "; "; };
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }

  static Task<> echo(World& world, std::unique_ptr<Stream> stream) {
    Alive alive(world.protocols);
    std::vector<std::byte> room(1000);
    for (;;) {
      std::size_t count = co_await stream->read(room);
      if (count == 0) co_return;
      if (room[0] == std::byte('!')) co_await Error(Errc::bad_message, "no protocol of ours");
      co_await stream->write(Bytes(room).first(count));
    }
  }

  static Task<> polite(World& world, std::unique_ptr<Stream> stream) {
    Alive alive(world.protocols);
    co_await world.server.shutdown_begins();
    co_await stream->write(as_bytes("goodbye"));
  }

  static Task<http::Response> handle(World& world, http::Request request) {
    const std::string path = request.url.path();
    if (path == "/read" || path == "/read-one") {
      std::string bytes = co_await request.body.read();
      if (path == "/read") bytes = co_await request.body.read();
    }
    if (path == "/unasked") co_return unasked("echo");
    if (path == "/unnamed") co_return unasked(nullptr);
    if (path == "/nothing") co_return http::Response(101, http::Headers{{"Upgrade", "echo"}}, http::Body());
    if (path == "/split") co_return unasked("a\r\nb");
    auto run = [&world](std::unique_ptr<Stream> stream) { return echo(world, std::move(stream)); };
    auto run_politely = [&world](std::unique_ptr<Stream> stream) { return polite(world, std::move(stream)); };
    if (path == "/polite") co_return http::upgrade_to(request, "echo", run_politely);
    http::Response response = http::upgrade_to(request, "echo", run);
    response.headers.add("X-Key", "abc");
    co_return std::move(response);
  }

  // Sends `bytes` on a new connection. Returns what has come back after `length`.
  std::string send(const std::string& bytes, Duration length = 1s) {
    std::unique_ptr<Stream> stream = open(bytes);
    std::string all = read(*stream, length);
    return all;
  }
  std::unique_ptr<Stream> open(const std::string& bytes) {
    std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
    Result<> sent = sim.run(stream->write(as_bytes(bytes)));
    (void)sent;  // the server may have turned it away
    return stream;
  }
  std::string read(Stream& stream, Duration length = 1s) { return test::read_for(sim, stream, length); }

  Sim sim;
  int protocols = 0;
  std::string failures;
  std::string lines;
  http::AccessLog log{.sink = [this](std::string_view line) { (lines += line) += '\n'; }};
  http::Metrics metrics;
  http::Server server;
  Scope scope;
};

std::string asks(const std::string& path = "/", const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n" +
         more + "\r\n";
}

const std::string switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n";

}  // namespace

TEST_CASE("upgrade: what comes behind the head belongs to the new protocol, over every portable stream") {
  test::check_upgrades(test::portable_streams());
}

TEST_CASE("upgrade: the stream of a connection that has left HTTP keeps the Stream contract") {
  std::vector<test::StreamKind> kinds;
  kinds.push_back(test::upgraded(test::pipe_streams("pipe, reads of 3", {.read_max = 3})));
  kinds.push_back(test::upgraded(test::pipe_streams("pipe", {})));
  const SimNetworkOptions ragged{.latency = 2ms, .jitter = 5ms, .buffer = 3000, .chunk_max = 200};
  kinds.push_back(test::upgraded(test::sim_streams("sim, ragged", Seed{4}, ragged)));
  test::check_stream_contract(kinds);
}

TEST_CASE(
    "upgrade: none of the server's limits in time holds any more; it counts, and is logged, to its end") {
  http::ServerOptions options;
  options.connections_per_peer_max = 1;
  World world(options);
  std::unique_ptr<Stream> stream = world.open(asks());
  CHECK(world.read(*stream) == switched + "X-Key: abc\r\n\r\n");
  world.sim.advance(24h);
  CHECK(world.protocols == 1);
  CHECK(world.sim.timers().size() == 0);
  CHECK(world.server.statistics().open == 1);
  CHECK(world.lines.empty());
  CHECK(world.send(asks()) == " reset");
  CHECK(world.sim.run(stream->write(as_bytes("abc"))));
  CHECK(world.read(*stream) == "abc");
  CHECK(world.sim.run(stream->shutdown_write()));
  CHECK(world.read(*stream) == " end");
  CHECK(world.protocols == 0);
  CHECK(world.server.statistics().open == 0);
  CHECK(world.server.statistics().requests == 1);
  CHECK(world.lines.find("\"GET / HTTP/1.1\" 101 0 ") != std::string::npos);
  CHECK(world.metrics.sample().requests.at({"GET", 101}) == 1);
  CHECK(world.send(asks()) == switched + "X-Key: abc\r\n\r\n");
  CHECK(world.failures.empty());
}

TEST_CASE("upgrade: one that fails is told of, and ends its connection alone") {
  World world;
  std::unique_ptr<Stream> other = world.open(asks());
  CHECK(world.send(asks() + "!") == switched + "X-Key: abc\r\n\r\n end");
  CHECK(world.failures == "bad_message: no protocol of ours; ");
  CHECK(world.protocols == 1);
}

TEST_CASE("upgrade: a client that does not ask for it, or may not, is told what it takes") {
  World world;
  const std::string needed = "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\n";
  const std::string get = "GET / HTTP/1.1\r\nHost: s\r\n";
  for (const std::string& request : {
           get + "\r\n",
           get + "Upgrade: echo\r\n\r\n",
           get + "Connection: upgrade\r\n\r\n",
           get + "Connection: upgrade\r\nUpgrade: echoes\r\n\r\n",
           std::string("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"),
       }) {
    CAPTURE(request);
    const std::string answer = world.send(request);
    CHECK(answer.substr(0, needed.size()) == needed);
    CHECK(answer.find("\r\nUpgrade: echo\r\n") != answer.npos);
    CHECK(answer.find("this needs the protocol echo\n") != answer.npos);
  }
  CHECK(world.failures.empty());
  // The connection goes on with HTTP.
  const std::string two = world.send(get + "\r\n" + asks());
  CHECK(two.find(switched) != two.npos);
}

TEST_CASE("upgrade: a 101 that may not be is the handler's failure") {
  World world;
  const std::string old = "GET /unasked HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
  const std::string length = "Content-Length: 3\r\n";
  struct Case {
    std::string sent;
    std::string told;
  };
  const std::vector<Case> cases{
      {"GET /unasked HTTP/1.1\r\nHost: s\r\n\r\n", "a 101 that the client did not ask for"},
      {old, "a 101 in HTTP/1.0"},
      {asks("/", length), "a 101 before the request was read"},
      {asks("/", length) + "ab", "a 101 before the request was read"},
      {asks("/", length) + "abc", "a 101 before the request was read"},
      {asks("/", length + "Expect: 100-continue\r\n"), "a 101 before the request was read"},
      {asks("/read-one", "Transfer-Encoding: chunked\r\n") + "1\r\na\r\n",
       "a 101 before the request was read"},
      {asks("/unnamed"), "a 101 that names no protocol in Upgrade"},
      {asks("/nothing"), "no final status: 101"},
      {asks("/split"), "header field Upgrade has a control character in its value"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.sent);
    world.failures.clear();
    const std::string answer = world.send(c.sent, 5s);
    CHECK(answer.find("HTTP/1.1 500 Internal Server Error\r\n") != answer.npos);
    CHECK(answer.find("101") == answer.npos);
    CHECK(answer.ends_with(" end"));
    CHECK(world.failures == "invalid_argument: " + c.told + "; ");
    CHECK(world.server.statistics().open == 0);
  }
  CHECK(world.server.statistics().failed_handlers == cases.size());
}

TEST_CASE("upgrade: a request with a body, once that was read") {
  World world;
  const std::string expected = switched + "X-Key: abc\r\n\r\nnew";
  CHECK(world.send(asks("/read", "Content-Length: 3\r\n") + "abcnew") == expected);
  CHECK(world.send(asks("/read-one", "Content-Length: 3\r\n") + "abcnew") == expected);
  CHECK(world.send(asks("/read", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\nnew") == expected);
  CHECK(world.failures.empty());
}

TEST_CASE("upgrade: a client that goes away") {
  World world;
  std::unique_ptr<Stream> stream = world.open(asks());
  world.sim.advance(1s);
  CHECK(world.protocols == 1);
  stream->reset_on_close();
  stream.reset();
  world.sim.advance(1s);
  CHECK(world.protocols == 0);
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("upgrade: a shutdown waits for it until its grace is over, and lets it say goodbye") {
  World world;
  std::unique_ptr<Stream> stays = world.open(asks());
  std::unique_ptr<Stream> goes = world.open(asks("/polite"));
  world.sim.advance(1s);
  CHECK(world.protocols == 2);
  world.server.shutdown(10s);
  CHECK(world.read(*goes) == switched + "\r\ngoodbye end");
  world.sim.advance(8s);
  CHECK(world.protocols == 1);
  CHECK(world.sim.run(stays->write(as_bytes("abc"))));
  CHECK(world.read(*stays, 900ms) == switched + "X-Key: abc\r\n\r\nabc");
  world.sim.advance(200ms);
  CHECK(world.protocols == 0);
  CHECK(world.server.statistics().open == 0);
  CHECK(world.server.shutdown_report().drained == 1);
  CHECK(world.server.shutdown_report().cancelled == 1);
  CHECK(world.server.shutdown_report().idle_closed == 0);
}

TEST_CASE("upgrade: a second shutdown, and the end of the server, cut it") {
  const bool by_shutdown = GENERATE(true, false);
  World world;
  std::unique_ptr<Stream> stream = world.open(asks());
  world.sim.advance(1s);
  world.server.shutdown(1h);
  world.sim.advance(1min);
  CHECK(world.protocols == 1);
  if (by_shutdown) {
    world.server.shutdown(Duration());
    world.sim.settle();
  } else {
    world.scope.cancel();
  }
  CHECK(world.protocols == 0);
  CHECK(world.server.statistics().open == 0);
}
