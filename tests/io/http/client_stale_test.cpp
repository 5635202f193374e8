// Connections that die between two requests: what is sent again, what is not, and that no response meets the
// wrong request. On simulated connections; client_stale_sockets_test.cpp plays the long run on sockets.

#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/closing_server.h"

using namespace escapement;

namespace {

struct Fate {
  bool dead = false;    // it was reset: it takes no byte, and has none
  bool breaks = false;  // it takes what is written, is reset a moment later, and has none either
};

class Dying final : public Stream {
 public:
  Dying(std::unique_ptr<Stream> inner, const Fate& fate) : inner_(std::move(inner)), fate_(fate) {}
  Task<std::size_t> read_task(MutableBytes into) override {
    if (fate_.breaks) co_await sleep(2ms);
    if (fate_.breaks || fate_.dead) co_return Error(Errc::reset, "reset on purpose");
    co_return co_await inner_->read_task(into);
  }
  Task<> write_task(Bytes bytes) override {
    if (fate_.dead) co_await Error(Errc::reset, "reset on purpose");
    co_await inner_->write_task(bytes);
    if (!fate_.breaks) co_return;
    co_await sleep(1ms);
    co_await Error(Errc::reset, "reset on purpose");
  }
  Task<> shutdown_write() override { return inner_->shutdown_write(); }
  bool readable_or_closed() override { return false; }  // it is not known yet
  std::string peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<Stream> inner_;
  const Fate& fate_;
};

// Its first connection has the fate that is set.
class DyingNetwork final : public Network {
 public:
  explicit DyingNetwork(Network& network) : network_(network) {}
  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override {
    std::unique_ptr<Stream> stream = co_await network_.connect(std::move(host), port);
    if (++made == 1) co_return std::make_unique<Dying>(std::move(stream), fate);
    co_return std::move(stream);
  }
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override {
    return network_.listen(address);
  }

  Fate fate;
  int made = 0;

 private:
  Network& network_;
};

Task<std::string> ask(const http::Client& client, http::Request request) {
  http::Response response = co_await client(std::move(request));
  std::string body = co_await response.body.text(1 * MiB);
  co_return std::to_string(response.status) + ' ' + body;
}

http::Request request(const char* method, http::Body body = {}, const char* path = "/") {
  return http::Request(method, *http::Url::parse(std::string("http://s") + path), {}, std::move(body));
}

}  // namespace

TEST_CASE("client: of a request of which not a byte has left nothing happened: any method is sent again") {
  for (const char* method : {"GET", "POST", "PATCH"}) {
    CAPTURE(method);
    Sim sim(Seed{3});
    test::ClosingServer server(sim.reactor(), *sim.network().listen("s:80"), Duration::max());
    DyingNetwork network(sim.network());
    http::Client client(network);
    CHECK(*sim.run(ask(client, request("GET"))) == "200 /");
    network.fate.dead = true;
    CHECK(*sim.run(ask(client, request(method, "x", "/again"))) == "200 /again");
    CHECK(network.made == 2);
    CHECK(server.served == 2);
  }
  // A stream may have been begun.
  class Once final : public http::BodySource {
   public:
    Task<std::string> read() override { co_return std::exchange(text_, {}); }

   private:
    std::string text_ = "once";
  };
  Sim sim(Seed{3});
  test::ClosingServer server(sim.reactor(), *sim.network().listen("s:80"), Duration::max());
  DyingNetwork network(sim.network());
  http::Client client(network);
  CHECK(*sim.run(ask(client, request("GET"))) == "200 /");
  network.fate.dead = true;
  const Result<std::string> failed =
      sim.run(ask(client, request("POST", http::Body(std::make_unique<Once>()))));
  REQUIRE(!failed);
  CHECK(failed.error() == Errc::reset);
  CHECK(!failed.error().maybe_sent());
  CHECK(server.served == 1);
}

TEST_CASE("client: a new connection that takes nothing fails its request, with nothing sent") {
  Sim sim(Seed{3});
  test::ClosingServer server(sim.reactor(), *sim.network().listen("s:80"), Duration::max());
  DyingNetwork network(sim.network());
  network.fate.dead = true;
  http::Client client(network);
  const Result<std::string> failed = sim.run(ask(client, request("POST", "x")));
  REQUIRE(!failed);
  CHECK(failed.error() == Errc::reset);
  CHECK(!failed.error().maybe_sent());
  CHECK(network.made == 1);
}

TEST_CASE("client: a write that breaks while it waits may have arrived: a POST is not sent again") {
  for (const bool kept : {false, true}) {
    for (const char* method : {"POST", "GET"}) {
      CAPTURE(kept, method);
      Sim sim(Seed{3});
      test::ClosingServer server(sim.reactor(), *sim.network().listen("s:80"), Duration::max());
      DyingNetwork network(sim.network());
      http::Client client(network);
      if (kept) CHECK(*sim.run(ask(client, request("GET"))) == "200 /");
      network.fate.breaks = true;
      http::Body body(std::string(method) == "POST" ? "x" : "");
      const Result<std::string> outcome = sim.run(ask(client, request(method, std::move(body), "/again")));
      if (kept && std::string(method) == "GET") {
        CHECK(*outcome == "200 /again");
        CHECK(network.made == 2);
        continue;
      }
      REQUIRE(!outcome);
      CHECK(outcome.error() == Errc::reset);
      CHECK(outcome.error().maybe_sent());
      CHECK(network.made == 1);
      CHECK(server.times["/again"] == 1);
    }
  }
}

TEST_CASE("client: after a call that was given up the next one gets its own response, on a new connection") {
  Sim sim(Seed{3});
  test::ClosingServer server(sim.reactor(), *sim.network().listen("s:80"), Duration::max());
  server.think = 1s;
  http::ClientOptions one;
  one.connections_per_host_max = 1;
  http::Client client(sim.network(), one);
  const Result<std::string> late = sim.run(with_timeout(500ms, ask(client, request("GET", {}, "/a"))));
  REQUIRE(!late);
  CHECK(late.error() == Errc::timed_out);
  server.think = Duration();
  CHECK(*sim.run(ask(client, request("GET", {}, "/b"))) == "200 /b");
  CHECK(client.connections_made() == 2);
  sim.advance(10s);  // the first response has come, to nobody
  CHECK(*sim.run(ask(client, request("GET", {}, "/c"))) == "200 /c");
  CHECK(client.connections_made() == 2);
}

TEST_CASE("client: an idle connection that the server closes is closed here at once") {
  Sim sim(Seed{3});
  test::ClosingServer server(sim.reactor(), *sim.network().listen("s:80"), 5s);
  http::Client client(sim.network());
  CHECK(*sim.run(ask(client, request("GET"))) == "200 /");
  CHECK(client.idle_connections() == 1);
  sim.advance(4900ms);
  CHECK(client.idle_connections() == 1);
  sim.advance(200ms);
  CHECK(client.idle_connections() == 0);
  CHECK(client.origins() == 0);
  CHECK(*sim.run(ask(client, request("POST", "x"))) == "200 /");
}

TEST_CASE("client: a 408 that a server sends as it closes is no response to the next request") {
  struct Row {
    const char* method;
    const char* outcome;
  };
  for (const Row row : {Row{"GET", "200 ok"}, Row{"PUT", "200 ok"}, Row{"POST", "408 "}}) {
    CAPTURE(row.method);
    SimNetworkOptions slow;
    slow.latency = 100ms;
    Sim sim(Seed{3}, slow);
    Scope scope(sim.reactor(), [](Error) {});
    // The notice leaves as the second request is on its way.
    auto serve = [](Sim& sim) -> Task<> {
      std::unique_ptr<Listener> listener = *sim.network().listen("s:80");
      for (bool notices = true;; notices = false) {
        std::unique_ptr<Stream> stream = co_await listener->accept();
        std::vector<std::byte> room(4096);
        std::size_t count = co_await stream->read(room);
        CHECK(count != 0);
        co_await stream->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        if (!notices) co_await sleep(1h);
        co_await sleep(950ms);
        co_await stream->write(
            as_bytes("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
        co_await stream->shutdown_write();
        count = co_await stream->read(room);
      }
    };
    scope.spawn(serve(sim));
    sim.settle();
    http::Client client(sim.network());
    CHECK(*sim.run(ask(client, request("GET"))) == "200 ok");
    sim.advance(900ms);
    CHECK(*sim.run(ask(client, request(row.method))) == row.outcome);
    // With nothing on its way it is a sign that the connection ends.
    scope.cancel();
  }
}

TEST_CASE("client: 24,000 requests to a server that closes at its idle limit, as the next request comes") {
  SimNetworkOptions options;
  options.latency = 10ms;
  Sim sim(Seed{5}, options);
  test::ClosingServer server(sim.reactor(), *sim.network().listen("s:80"), 5s);
  http::Client client(sim.network());
  test::LongRun run(Random(7), 5s - 40ms, 60ms);
  const Result<> done = sim.run(run.play(client, "http://s", 8, 3000));
  CHECK(done);
  run.check(server);
  CHECK(run.late > 20);  // connections did die under requests
}
