// Server::shutdown: whom it reaches, for how long it lets them go on, and how it counts them. In simulated
// time.

#include <optional>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/http/upgrade.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "support/raw_http.h"

using namespace escapement;
using test::statuses;

namespace {

Task<http::Response> handle(http::Request request) {
  if (request.url.path() == "/slow") co_await sleep(5s);
  if (request.url.path() == "/never") co_await sleep(Duration::max());
  co_return http::Response(200, "x");
}

std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: s\r\n\r\n"; }

struct World {
  explicit World(http::ServerOptions options = {}) : server(handle, options), scope(sim.reactor()) {}

  void listen(const std::string& address) {
    scope.spawn(server.listen(sim.network(), address));
    sim.settle();
  }
  // A client that has sent these bytes to that port.
  std::unique_ptr<Stream> asking(const std::string& bytes, std::uint16_t port = 80) {
    std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", port));
    if (!bytes.empty()) REQUIRE(sim.run(stream->write(as_bytes(bytes))));
    sim.settle();
    return stream;
  }
  // And one whose connection is given to the server by hand.
  std::unique_ptr<Stream> given(const std::string& bytes) {
    PipeEnds ends = pipe();
    if (!bytes.empty()) REQUIRE(sim.run(ends.first->write(as_bytes(bytes))));
    scope.spawn(server.serve_connection(std::move(ends.second)));
    sim.advance(10ms);
    return std::move(ends.first);
  }
  std::string read(Stream& stream, Duration length) { return test::read_for(sim, stream, length); }
  // Returns whether all that serves has come to its end.
  bool ended() { return scope.size() == 0; }

  Sim sim;
  http::Server server;
  Scope scope;
};

}  // namespace

TEST_CASE("shutdown: a connection that was given by hand is closed if it is idle, and else when it is done") {
  const bool listens = GENERATE(false, true);  // as well
  CAPTURE(listens);
  World world;
  if (listens) world.listen("s:80");
  const std::unique_ptr<Stream> idle = world.given(get("/"));
  const std::unique_ptr<Stream> silent = world.given("");
  const std::unique_ptr<Stream> slow = world.given(get("/slow"));
  CHECK(statuses(world.read(*idle, 100ms)) == "200 ");
  world.server.shutdown(10s);
  CHECK(world.read(*idle, 1s) == " end");
  CHECK(world.read(*silent, 1s) == " end");
  CHECK(world.server.statistics().open == 1);
  const std::string answer = world.read(*slow, 10s);
  CHECK(statuses(answer) == "200 ");
  CHECK(answer.find("Connection: close\r\n") != answer.npos);
  CHECK(answer.ends_with("x end"));
  world.sim.advance(3s);
  CHECK(world.ended());
  CHECK(world.server.shutdown_report().idle_closed == 2);
  CHECK(world.server.shutdown_report().drained == 1);
  CHECK(world.server.shutdown_report().cancelled == 0);
}

TEST_CASE(
    "shutdown: a connection that was given by hand ends with the grace period, which may be shortened") {
  const bool shortened = GENERATE(false, true);
  const bool listens = GENERATE(false, true);
  CAPTURE(shortened, listens);
  World world;
  if (listens) world.listen("s:80");
  const std::unique_ptr<Stream> never = world.given(get("/never"));
  const std::unique_ptr<Stream> part = world.given("GET / HT");
  world.server.shutdown(8s);
  world.sim.advance(3s);
  CHECK(world.server.statistics().open == 2);
  if (shortened) world.server.shutdown(4s);
  world.sim.advance(shortened ? 1s - 1ms : 5s - 1ms);
  CHECK(world.server.statistics().open == 2);
  world.sim.advance(1ms);
  CHECK(world.server.statistics().open == 0);
  CHECK(world.ended());
  CHECK(world.server.shutdown_report().cancelled == 2);
}

TEST_CASE("shutdown: a connection that is given by hand after that gets the answer to what it has sent") {
  World world;
  world.server.shutdown(10s);
  CHECK(statuses(world.read(*world.given(get("/")), 1s)) == "200 ");
  CHECK(world.read(*world.given(""), 1s) == " end");
  const std::unique_ptr<Stream> slow = world.given(get("/slow"));
  CHECK(statuses(world.read(*slow, 6s)) == "200 ");
  const std::unique_ptr<Stream> never = world.given(get("/never"));
  world.sim.advance(11s);  // at most
  CHECK(world.server.statistics().open == 0);
  CHECK(world.ended());
}

TEST_CASE("shutdown: HTTP inside an upgraded connection ends with it, idle or not") {
  const bool busy = GENERATE(false, true);
  Sim sim;
  std::optional<http::Server> server;
  Scope scope(sim.reactor());
  server.emplace([&server](http::Request request) -> Task<http::Response> {
    if (request.url.path() == "/") {
      co_return http::upgrade_to(request, "http", [&server](std::unique_ptr<Stream> stream) {
        return server->serve_connection(std::move(stream));
      });
    }
    co_await sleep(Duration::max());
    co_return http::Response(200);
  });
  scope.spawn(server->listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  REQUIRE(sim.run(
      stream->write(as_bytes("GET / HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: http\r\n\r\n"))));
  if (busy) REQUIRE(sim.run(stream->write(as_bytes(get("/never")))));
  sim.advance(1s);
  REQUIRE(server->statistics().open == 2);
  server->shutdown(3s);
  sim.advance(2s);
  CHECK(server->statistics().open == (busy ? 2 : 0));
  sim.advance(1s);
  CHECK(server->statistics().open == 0);
  CHECK(scope.size() == 0);
}

TEST_CASE("shutdown: each connection that is cut counts once, however many listeners there are") {
  World world;
  world.listen("s:80");
  world.listen("s:81");
  const std::unique_ptr<Stream> first = world.asking(get("/never"));
  const std::unique_ptr<Stream> second = world.asking(get("/never"), 81);
  const std::unique_ptr<Stream> third = world.asking(get("/never"), 81);
  const std::unique_ptr<Stream> slow = world.asking(get("/slow"));
  const std::unique_ptr<Stream> idle = world.asking("");
  const std::unique_ptr<Stream> by_hand = world.given(get("/never"));
  world.server.shutdown(8s);
  CHECK(statuses(world.read(*slow, 6s)) == "200 ");
  world.sim.advance(3s);
  CHECK(world.ended());
  CHECK(world.server.shutdown_report().idle_closed == 1);
  CHECK(world.server.shutdown_report().drained == 1);
  CHECK(world.server.shutdown_report().cancelled == 4);
}

TEST_CASE(
    "shutdown: a connection that was accepted and waits for its turn is served, or closed in good order") {
  // The one that has its turn is idle, or works; the other one has asked for something, or not.
  const std::string has = GENERATE(std::string(), get("/slow"), get("/never"));
  const bool asks = GENERATE(false, true);
  CAPTURE(has, asks);
  http::ServerOptions options;
  options.connections_max = 1;
  World world(options);
  world.listen("s:80");
  const std::unique_ptr<Stream> in_turn = world.asking(has);
  const std::unique_ptr<Stream> waits = world.asking(asks ? get("/") : "");
  const std::unique_ptr<Stream> behind = world.asking(asks ? get("/") : "");  // is not accepted yet
  CHECK(world.server.statistics().open == 1);
  CHECK(world.server.statistics().connections == 1);
  world.server.shutdown(7s);
  const std::string answer = world.read(*waits, 3s);
  CHECK(statuses(answer) == (asks ? "200 " : ""));
  CHECK(answer.ends_with(" end"));
  const std::string other = world.read(*behind, 3s);
  if (has.empty()) {
    CHECK(other.ends_with(" end"));
    CHECK(statuses(other) == (asks ? "200 " : ""));
  } else {
    CHECK(other == " reset");
  }
  CHECK(statuses(world.read(*in_turn, 3s)) == (has == get("/slow") ? "200 " : ""));
  CHECK(world.ended());
  CHECK(world.server.statistics().connections == (has.empty() ? 3 : 2));
}
