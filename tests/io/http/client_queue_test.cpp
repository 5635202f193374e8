// The client's line of requests: its limits, its order, and who gets a connection that is on its way.

#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/progress.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

// Answers every request to "a:80" ... "e:80" after `think`, with the path as the body.
struct World {
  explicit World(Duration think_time = 1s, SimNetworkOptions network = SimNetworkOptions())
      : sim(Seed{3}, network), think(think_time), scope(sim.reactor(), [](Error) {}) {
    scope.spawn(listen());
    sim.settle();
    for (const char* host : {"a", "b", "c", "d", "e"}) sim.network().add_host(host);
  }

  Task<> listen() {
    std::unique_ptr<Listener> listener = co_await sim.network().listen(":80");
    for (;;) {
      std::unique_ptr<Stream> stream = co_await listener->accept();
      ++accepted;
      scope.spawn(serve(std::move(stream)));
    }
  }

  Task<> serve(std::unique_ptr<Stream> stream) {
    std::vector<std::byte> room(4096);
    for (std::string seen;;) {
      const std::size_t count = co_await stream->read(room);
      if (count == 0) break;
      seen += as_text(Bytes(room).first(count));
      if (!seen.ends_with("\r\n\r\n")) continue;
      const std::string path = seen.substr(seen.find(' ') + 1, seen.find(" HTTP") - seen.find(' ') - 1);
      order.push_back(path);
      seen.clear();
      if (think > Duration()) co_await sleep(think);
      const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size());
      co_await stream->write(as_bytes(head + "\r\n\r\n" + path));
    }
    ++closed;
  }

  Sim sim;
  Duration think;
  int accepted = 0;
  int closed = 0;
  std::vector<std::string> order;
  Scope scope;
};

// Notes "PATH @MS", or "PATH: kind @MS", when it is over.
struct Calls {
  explicit Calls(World& w, http::ClientOptions options = http::ClientOptions())
      : world(w), client(w.sim.network(), std::move(options)), scope(w.sim.reactor(), [](Error) {}) {}

  static Task<> call(Calls& calls, std::string host, std::string path) {
    http::Request request("GET", *http::Url::parse("http://" + host + path));
    Result<http::Response> response = co_await calls.client(std::move(request)).result();
    std::string outcome = path;
    if (response) {
      std::string body = co_await response->body.text(1 * MiB);
      if (body != path) outcome += " got " + body;
    } else {
      outcome += ": " + std::string(name(response.error().code()));
      calls.last_error = response.error();
    }
    calls.outcomes.push_back(outcome + " @" + std::to_string(calls.world.sim.elapsed().count() / 1'000'000));
  }
  void start(const char* path, const char* host = "a") { scope.spawn(call(*this, host, path)); }
  JoinHandle<void> start_joinable(const char* path) { return scope.spawn_joinable(call(*this, "a", path)); }

  World& world;
  http::Client client;
  std::vector<std::string> outcomes;
  std::optional<Error> last_error;
  Scope scope;
};

using Outcomes = std::vector<std::string>;

http::ClientOptions at_most(std::size_t per_host, std::size_t in_all = 256) {
  http::ClientOptions options;
  options.connections_per_host_max = per_host;
  options.connections_max = in_all;
  return options;
}

}  // namespace

TEST_CASE("client queue: first come, first served, on the connection of the one before") {
  World world;
  Calls calls(world, at_most(1));
  for (const char* path : {"/1", "/2", "/3"}) calls.start(path);
  world.sim.settle();
  CHECK(calls.client.requests_in_line() == 2);
  CHECK(calls.client.open_connections() == 1);
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(calls.outcomes == Outcomes{"/1 @1000", "/2 @2000", "/3 @3000"});
  CHECK(world.accepted == 1);
  CHECK(calls.client.requests_in_line() == 0);
}

TEST_CASE("client queue: it has a length, to whatever origins; one more is refused with nothing sent") {
  CHECK(http::ClientOptions().queue_max == 1000);
  World world;
  http::ClientOptions options = at_most(1);
  options.queue_max = 2;
  Calls calls(world, options);
  calls.start("/1");
  calls.start("/2");
  calls.start("/3", "b");
  calls.start("/4", "b");
  world.sim.settle();
  calls.start("/5", "c");  // a place of its own
  calls.start("/6");
  world.sim.settle();
  CHECK(calls.outcomes == Outcomes{"/6: overloaded @0"});
  CHECK(calls.last_error->maybe_sent() == false);
  CHECK(calls.last_error->peer() == "http://a");
  CHECK(to_string(*calls.last_error) ==
        "overloaded: waiting for a connection to http://a: 2 requests wait already");
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(calls.outcomes.size() == 6);
}

TEST_CASE("client queue: with no line at all what finds no place is refused") {
  World world;
  http::ClientOptions options = at_most(1);
  options.queue_max = 0;
  Calls calls(world, options);
  calls.start("/1");
  calls.start("/2");
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(calls.outcomes == Outcomes{"/2: overloaded @0", "/1 @1000"});
}

TEST_CASE("client queue: connections have a limit in all; an idle one gives way to one to another origin") {
  World world;
  Calls calls(world, at_most(8, 2));
  calls.start("/1", "a");
  calls.start("/2", "b");
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(calls.client.idle_connections() == 2);
  calls.start("/3", "c");
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(calls.client.open_connections() == 2);
  world.sim.settle();
  CHECK(world.closed == 1);
  calls.start("/4", "b");  // that one was used later than a's
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(world.accepted == 3);
}

TEST_CASE(
    "client queue: where all connections are in use, who has waited longest is next, to whatever origin") {
  World world;
  Calls calls(world, at_most(8, 1));
  for (const char* path : {"/a1", "/a2"}) calls.start(path, "a");
  calls.start("/b1", "b");
  for (const char* path : {"/a3", "/a4"}) calls.start(path, "a");
  calls.start("/c1", "c");
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(world.order == Outcomes{"/a1", "/a2", "/b1", "/a3", "/a4", "/c1"});
  CHECK(world.accepted == 4);  // a, b, a, c: b's call does not wait until a's are done
}

TEST_CASE(
    "client queue: limits of zero connections are limits of one, also where others have waited longer") {
  World world;
  Calls calls(world, at_most(0, 0));
  for (const char* path : {"/a1", "/a2"}) calls.start(path, "a");
  calls.start("/b1", "b");
  calls.start("/a3", "a");
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(world.order == Outcomes{"/a1", "/a2", "/b1", "/a3"});
  CHECK(calls.client.open_connections() == 1);
}

TEST_CASE(
    "client queue: a connection that is given back serves the one whose own is on its way, which is kept") {
  SimNetworkOptions network;
  network.latency = 100ms;
  World world(Duration(), network);
  Calls calls(world);
  calls.start("/1");
  REQUIRE(world.sim.run(calls.scope.join()));  // 200 ms to connect, 200 ms to ask
  CHECK(calls.outcomes == Outcomes{"/1 @400"});
  calls.start("/2");
  world.sim.advance(150ms);
  calls.start("/3");  // its own connection would be there at 750 ms
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(calls.outcomes == Outcomes{"/1 @400", "/2 @600", "/3 @800"});
  world.sim.advance(1s);
  CHECK(world.accepted == 2);
  CHECK(calls.client.idle_connections() == 2);
}

TEST_CASE("client queue: a connection whose call was given up meanwhile comes for the next one") {
  SimNetworkOptions network;
  network.latency = 100ms;
  World world(Duration(), network);
  Calls calls(world);
  {
    JoinHandle<void> given_up = calls.start_joinable("/1");
    world.sim.advance(150ms);
    given_up.cancel();
  }
  CHECK(calls.client.open_connections() == 1);
  CHECK(calls.client.origins() == 1);
  SECTION("and is kept where there is none") {
    world.sim.advance(1s);
    CHECK(calls.client.idle_connections() == 1);
    calls.start("/2");
    REQUIRE(world.sim.run(calls.scope.join()));
    CHECK(calls.outcomes == Outcomes{"/2 @1350"});
    CHECK(world.accepted == 1);
  }
  SECTION("and goes to one that waits") {
    calls.start("/2");
    REQUIRE(world.sim.run(calls.scope.join()));
    CHECK(calls.outcomes == Outcomes{"/2 @400"});
  }
  SECTION("and goes with the client") {
    calls.client = http::Client(world.sim.network());
    world.sim.advance(1s);
    CHECK(world.closed == world.accepted);
  }
}

TEST_CASE("client queue: one that fails to come fails the call it was for, and nobody else") {
  World world;
  SimFaults hole;
  hole.black_hole = true;
  world.sim.network().set_faults("a", hole);
  http::ClientOptions options = at_most(1);
  options.connect_timeout = 2s;
  Calls calls(world, options);
  calls.start("/1");
  calls.start("/2");
  world.sim.advance(3s);
  CHECK(calls.outcomes == Outcomes{"/1: timed_out @2000"});  // the other one's attempt has begun
  calls.start("/3");
  REQUIRE(world.sim.run(calls.scope.join()));
  CHECK(calls.outcomes == Outcomes{"/1: timed_out @2000", "/2: timed_out @4000", "/3: timed_out @6000"});
  REQUIRE(calls.last_error);
  CHECK(calls.last_error->limit() == TimeLimit::connect);
  CHECK(!calls.last_error->maybe_sent());
}

TEST_CASE("client queue: one that gives up passes its place, and a connection it was given but did not use") {
  World world;
  Calls calls(world, at_most(1));
  calls.start("/1");
  JoinHandle<void> second = calls.start_joinable("/2");
  calls.start("/3");
  SECTION("while it waits") {
    world.sim.advance(500ms);
    second.cancel();
    CHECK(calls.client.requests_in_line() == 1);
  }
  SECTION("in the turn in which it was given one") {
    // Wakes just before the response does that gives the connection back, and cancels behind it.
    auto cancel_late = [](JoinHandle<void>& handle, Calls& calls) -> Task<> {
      while (calls.outcomes.empty()) co_await sleep(1ms);
      handle.cancel();
    };
    calls.scope.spawn(cancel_late(second, calls));
  }
  world.sim.advance(10s);
  REQUIRE(calls.outcomes.size() >= 2);
  CHECK(calls.outcomes.back().starts_with("/3"));
  CHECK(calls.client.requests_in_line() == 0);
  CHECK(calls.client.open_connections() == 1);
}

TEST_CASE("client queue: the place and the time in it are reported") {
  World world;
  Calls calls(world, at_most(1));
  calls.start("/1");
  auto progress = std::make_shared<http::CallProgress>();
  auto ask = [](const http::Client& client, std::shared_ptr<http::CallProgress> progress) -> Task<int> {
    http::Request request = http::get("http://a/2");
    request.progress = progress;
    http::Response response = co_await client(std::move(request));
    co_return response.status;
  };
  JoinHandle<int> second = calls.scope.spawn_joinable(ask(calls.client, progress));
  world.sim.advance(400ms);
  CHECK(progress->waits_for == TimeLimit::queue);
  world.sim.advance(700ms);
  CHECK(progress->waits_for == TimeLimit::head);
  CHECK(progress->queued == Duration(1s));
  REQUIRE(world.sim.run(std::move(second).join()));
}

TEST_CASE("client queue: an old connection is not kept") {
  World world{Duration()};
  http::ClientOptions options;
  CHECK(options.connection_age_max == Duration(24h));
  options.connection_age_max = 100s;
  Calls calls(world, options);
  for (int i = 0; i < 5; ++i) {
    calls.start("/x");
    REQUIRE(world.sim.run(calls.scope.join()));
    world.sim.advance(30s);
  }
  // Used at 0, 30, 60 and 90 s; at 100 s it is closed.
  CHECK(world.accepted == 2);
  world.sim.advance(1s);
  CHECK(world.closed == 1);
}

TEST_CASE("client queue: unused connections to one origin have a limit") {
  World world;
  http::ClientOptions options;
  options.idle_connections_per_host_max = 2;
  Calls calls(world, options);
  for (const char* path : {"/1", "/2", "/3", "/4"}) calls.start(path);
  calls.start("/5", "b");
  REQUIRE(world.sim.run(calls.scope.join()));
  world.sim.settle();
  CHECK(world.accepted == 5);
  CHECK(calls.client.idle_connections() == 3);
  CHECK(world.closed == 2);
}
