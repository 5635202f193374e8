// Interim responses: a handler's messages to its client before the final response.

#include <optional>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/interim.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "support/answers.h"
#include "support/raw_http.h"

using namespace escapement;
using test::statuses;

namespace {

constexpr std::string_view hint = "</a.css>; rel=preload";

// Tells something when it is read, which is too late.
class TellsLate final : public http::BodySource {
 public:
  TellsLate(http::Request request, std::string& outcome) : request_(std::move(request)), outcome_(outcome) {}
  Task<std::string> read() override {
    const Result<> told = http::early_hints(request_, hint);
    if (!told) outcome_ += to_string(told.error()) + "; ";
    co_return std::string();
  }

 private:
  http::Request request_;
  std::string& outcome_;
};

struct World {
  explicit World(SimNetworkOptions network = {})
      : sim(Seed{7}, network),
        server([this](http::Request request) { return handle(*this, std::move(request)); }),
        scope(sim.reactor(), [](Error) {}) {
    server.on_failure = [this](const Error& error) { failures += to_string(error) + "; "; };
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }

  void note(const Result<>& told) {
    if (!told) outcome += to_string(told.error()) + "; ";
  }

  void tell_much(const http::Request& request) {
    const std::string path = request.url.path();
    if (path == "/many") {
      for (int i = 0; i < 33; ++i) note(http::early_hints(request, hint));
    }
    if (path == "/wrong") {
      for (const int status : {0, 99, 100, 101, 200, 404}) note(http::inform(request, status));
      note(http::early_hints(request, "a\r\nb"));
    }
    if (path == "/large") note(http::early_hints(request, std::string(50'000, 'l')));
  }

  static Task<http::Response> handle(World& world, http::Request request) {
    const std::string path = request.url.path();
    if (path == "/plain") co_return http::Response(200, "plain");
    if (path == "/late")
      co_return http::Response(200,
                               http::Body(std::make_unique<TellsLate>(std::move(request), world.outcome)));
    if (path == "/for-ever") {
      for (;;) {
        world.note(http::inform(request, 102));
        ++world.told;
        co_await sleep(5s);
      }
    }
    if (path == "/slow-then-told") co_await sleep(1s);
    if (path == "/large") co_await sleep(500ms);
    if (path == "/many" || path == "/wrong" || path == "/large") {
      world.tell_much(request);
    } else {
      world.note(http::early_hints(request, hint));
    }
    if (path != "/at-once") co_await sleep(5s);
    co_return http::Response(200, path);
  }

  // Returns the bytes that have come after `length`.
  std::string send(std::string_view bytes, Duration length) {
    std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
    CHECK(sim.run(stream->write(as_bytes(bytes))));
    return read(*stream, length);
  }
  std::string read(Stream& stream, Duration length) { return test::read_for(sim, stream, length); }

  Sim sim;
  std::string failures;
  std::string outcome;  // of what could not be told
  int told = 0;
  http::Server server;
  Scope scope;
};

std::string get(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: s\r\n" + more + "\r\n";
}

const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";

}  // namespace

TEST_CASE("interim: it is there before the answer is, told at once or later") {
  World world;
  CHECK(world.send(get("/"), 4s) == hints);
  CHECK(world.send(get("/slow-then-told"), 500ms).empty());
  CHECK(world.send(get("/slow-then-told"), 1500ms) == hints);
  const std::string all = world.send(get("/"), 6s);
  CHECK(all.substr(0, hints.size()) == hints);
  CHECK(all.substr(hints.size(), 17) == "HTTP/1.1 200 OK\r\n");
  CHECK(world.failures.find("invalid") == std::string::npos);
  CHECK(world.outcome.empty());
}

TEST_CASE("interim: behind the answers to the requests before, before the own one") {
  World world;
  const std::string all =
      get("/plain") + get("/at-once") + get("/plain") + get("/") + get("/plain") + get("/at-once");
  CHECK(statuses(world.send(all, 1s)) == "200 103 200 200 103 ");
  CHECK(statuses(world.send(all, 6s)) == "200 103 200 200 103 200 200 103 200 ");
}

TEST_CASE("interim: HTTP/1.0 and requests that no server received are told nothing") {
  World world;
  CHECK(statuses(world.send("GET /at-once HTTP/1.0\r\n\r\n", 1s)) == "200 ");
  const http::Request by_hand = test::request("GET", "/");
  CHECK(http::early_hints(by_hand, hint));
  CHECK(world.outcome.empty());
}

TEST_CASE("interim: at most 32 to a request, and nothing that may not be told") {
  World world;
  std::string expected;
  for (int i = 0; i < 32; ++i) expected += "103 ";
  CHECK(statuses(world.send(get("/many") + get("/many", "Connection: close\r\n"), 20s)) ==
        expected + "200 " + expected + "200 ");
  const std::string more = "limit_exceeded: more than 32 interim responses; ";
  CHECK(world.outcome == more + more);
  world.outcome.clear();
  CHECK(statuses(world.send(get("/wrong"), 20s)) == "200 ");
  CHECK(world.outcome ==
        "invalid_argument: no informational status: 0; invalid_argument: no informational status: 99; "
        "invalid_argument: 100 is not for a handler to tell; invalid_argument: 101 is not for a handler to "
        "tell; invalid_argument: no informational status: 200; invalid_argument: no informational status: "
        "404; invalid_argument: header field Link has a control character in its value; ");
}

TEST_CASE("interim: nothing once the answer has begun") {
  World world;
  CHECK(statuses(world.send(get("/late"), 1s)) == "200 ");
  CHECK(world.outcome == "cancelled: the response has begun; ");
}

TEST_CASE("interim: a client that reads late has all of it before the answer; one that never does is cut") {
  World world({.buffer = 4096});
  std::unique_ptr<Stream> late = *world.sim.run(world.sim.network().connect("s", 80));
  CHECK(world.sim.run(late->write(as_bytes(get("/large")))));
  world.sim.advance(1s);
  CHECK(world.read(*late, 1s).size() > 50'000);
  CHECK(statuses(world.read(*late, 5s)) == "200 ");
  std::unique_ptr<Stream> deaf = *world.sim.run(world.sim.network().connect("s", 80));
  CHECK(world.sim.run(deaf->write(as_bytes(get("/large")))));
  world.sim.advance(40s);
  CHECK(world.failures == "timed_out: sending: nothing within 30s; ");
  CHECK(world.server.statistics().open == 1);
}

TEST_CASE("interim: a client that is gone takes its handler with it") {
  World world;
  std::unique_ptr<Stream> stream = *world.sim.run(world.sim.network().connect("s", 80));
  CHECK(world.sim.run(stream->write(as_bytes(get("/for-ever")))));
  world.sim.advance(7s);
  CHECK(world.told == 2);
  stream.reset();
  world.sim.advance(20s);
  CHECK(world.told == 2);
  CHECK(world.server.statistics().abandoned == 1);
}

TEST_CASE("interim: before leave to send the body, and for our own client") {
  World world;
  const std::string post = "POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  CHECK(statuses(world.send(post, 6s)) == "103 200 ");
  http::Client client(world.sim.network());
  const test::Answer answer = *world.sim.run(test::ask(client, http::get("http://s/many")));
  CHECK(answer.status == 200);
  CHECK(answer.body == "/many");
}

TEST_CASE(
    "interim: a request that was kept reaches neither the next one on its connection nor what is gone") {
  const bool moved = GENERATE(false, true);  // the request was kept itself, or a copy of its context
  CAPTURE(moved);
  Sim sim(Seed{7});
  std::vector<http::Request> kept;
  std::string outcome;
  const auto tell = [&kept, &outcome](const char* when) {
    for (const http::Request& request : kept) {
      const Result<> told = http::early_hints(request, hint);
      outcome += when + std::string(told ? " told; " : ' ' + to_string(told.error()) + "; ");
    }
  };
  auto handle = [&](http::Request request) -> Task<http::Response> {
    const std::string path = request.url.path();
    if (path == "/next") {
      tell("next");
      co_await sleep(1s);
      tell("later");
      co_return http::Response(200);
    }
    if (path == "/waits") co_await sleep(1s);
    http::Request copy = request.copy_without_body();
    copy.context = request.context;
    kept.push_back(moved ? std::move(request) : std::move(copy));
    co_return http::Response(200);
  };
  http::Server server(handle);
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  // Kept: pipelined before others, alone, and one whose handler has waited.
  REQUIRE(sim.run(stream->write(as_bytes(get("/first") + get("/second") + get("/next")))));
  CHECK(statuses(test::read_for(sim, *stream, 2s)) == "200 200 200 ");
  const std::string over = " cancelled: the request is over; ";
  CHECK(outcome == "next" + over + "next" + over + "later" + over + "later" + over);
  outcome.clear();
  REQUIRE(sim.run(stream->write(as_bytes(get("/waits")))));
  CHECK(statuses(test::read_for(sim, *stream, 2s)) == "200 ");
  REQUIRE(sim.run(stream->write(as_bytes(get("/next")))));
  CHECK(statuses(test::read_for(sim, *stream, 2s)) == "200 ");
  CHECK(outcome.find("told") == outcome.npos);
  // The peer is known still, also when the connection and the server have gone.
  const std::string peer(kept.front().peer());
  CHECK(!peer.empty());
  stream.reset();
  sim.advance(1s);
  REQUIRE(server.statistics().open == 0);
  outcome.clear();
  tell("gone");
  CHECK(outcome == "gone" + over + "gone" + over + "gone" + over);
  for (const http::Request& request : kept) {
    CHECK(request.peer() == peer);
    request.context.note_handler_code(nullptr);
  }
}

TEST_CASE("interim: a request that was kept is over also when its connection was cut in its midst") {
  enum class Cut { client, server };
  const Cut cut = GENERATE(Cut::client, Cut::server);
  Sim sim(Seed{7});
  std::optional<http::RequestContext> kept;
  auto handle = [&kept](http::Request request) -> Task<http::Response> {
    kept = request.context;
    co_await sleep(Duration::max());
    co_return http::Response(200);
  };
  http::Server server(handle);
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  REQUIRE(sim.run(stream->write(as_bytes(get("/")))));
  sim.advance(1s);
  REQUIRE(kept);
  CHECK(kept->inform(103, http::Headers{{"Link", hint}}));
  if (cut == Cut::client) stream.reset();
  if (cut == Cut::server) scope.cancel();
  sim.advance(1s);
  REQUIRE(server.statistics().open == 0);
  CHECK(kept->inform(103, http::Headers{{"Link", hint}}).error() == Errc::cancelled);
  CHECK(!kept->peer().empty());
}
