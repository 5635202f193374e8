// The limits on everything that a server's peers can make grow or make it wait for. In simulated time.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "support/alive.h"
#include "support/answers.h"

using namespace escapement;
using test::Alive;

namespace {

// A body that brings a byte every 10 s.
class Ticks final : public http::BodySource {
 public:
  explicit Ticks(int& count) : alive_(count) {}
  Task<std::string> read() override {
    co_await sleep(10s);
    co_return "t";
  }
  std::optional<std::uint64_t> length() const override { return std::nullopt; }

 private:
  Alive alive_;
};

// And one that breaks a second after its first byte.
class Breaks final : public http::BodySource {
 public:
  Task<std::string> read() override {
    if (std::exchange(read_, true)) {
      co_await sleep(1s);
      co_await Error(Errc::internal, "broken on purpose");
    }
    co_return "t";
  }
  std::optional<std::uint64_t> length() const override { return std::nullopt; }

 private:
  bool read_ = false;
};

// Reads to the end, or to a failure: "all" or "all reset".
Task<std::string> all_and_end(Stream& stream) {
  std::string all;
  std::vector<std::byte> room(4096);
  for (;;) {
    Result<std::size_t> count = co_await stream.read(room).result();
    if (!count) co_return all + ' ' + std::string(name(count.error().code()));
    if (*count == 0) co_return std::move(all);
    all += as_text(Bytes(room).first(*count));
  }
}

struct World {
  explicit World(http::ServerOptions options = {}, SimNetworkOptions network = {})
      : sim(Seed{11}, network), server(service(*this), options), scope(sim.reactor(), [](Error) {}) {
    server.on_failure = [this](const Error& error) { failures += to_string(error) + "; "; };
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }

  static http::Service service(World& world) {
    return [&world](http::Request request) { return handle(world, std::move(request)); };
  }

  static Task<http::Response> handle(World& world, http::Request request) {
    Alive alive(world.handlers);
    if (request.url.path() == "/slow") co_await sleep(5s);
    if (request.url.path() == "/read-then-slow") {
      std::string all = co_await request.body.text(1 * MiB);
      co_await sleep(5s);
    }
    if (request.url.path() == "/bit-by-bit")
      co_return http::Response(200, http::Body(std::make_unique<Ticks>(world.handlers)));
    if (request.url.path() == "/breaks")
      co_return http::Response(200, http::Body(std::make_unique<Breaks>()));
    if (request.url.path() == "/for-ever") co_await sleep(Duration::max());
    if (request.url.path() == "/big") co_return http::Response(200, std::string(1 * MiB, 'b'));
    std::string body = co_await request.body.text(16 * MiB);
    co_return http::Response(200, std::to_string(body.size()));
  }

  // Sends `pieces` with `pause` before each but the first, reads to the end; "answer @seconds".
  std::string talk(std::vector<std::string> pieces, Duration pause = Duration()) {
    auto reads = [](World& world, Stream& stream, std::string& all) -> Task<> {
      std::vector<std::byte> room(4096);
      for (;;) {
        Result<std::size_t> count = co_await stream.read(room).result();
        if (!count || *count == 0) co_return;
        all += as_text(Bytes(room).first(*count));
        (void)world;
      }
    };
    auto writes = [](Stream& stream, std::vector<std::string> pieces, Duration pause) -> Task<> {
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (i != 0) co_await sleep(pause);
        Result<> sent = co_await stream.write(as_bytes(pieces[i])).result();
        if (!sent) co_return;
      }
    };
    const Instant began = sim.reactor().now();
    std::string all;
    std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
    {
      Scope writing(sim.reactor(), [](Error) {});
      writing.spawn(writes(*stream, std::move(pieces), pause));
      Result<> ended = sim.run(reads(*this, *stream, all));
      CHECK(ended);
    }
    const std::int64_t seconds = (sim.reactor().now() - began).count() / 1'000'000'000;
    return all.substr(0, all.find("\r\n")) + " @" + std::to_string(seconds);
  }

  int handlers = 0;
  std::string failures;
  Sim sim;
  http::Server server;
  Scope scope;
};

const std::string post = "POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 100000\r\n\r\n";

}  // namespace

TEST_CASE("limits: an idle connection, before and between requests") {
  World world;
  CHECK(world.talk({}) == " @75");
  CHECK(world.talk({"GET / HTTP/1.1\r\nHost: s\r\n\r\n"}) == "HTTP/1.1 200 OK @75");
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("limits: a head that trickles in, however steadily") {
  World world;
  std::vector<std::string> pieces;
  for (const char c : std::string("GET / HTTP/1.1\r\nHost: s\r\n\r\n")) pieces.emplace_back(1, c);
  CHECK(world.talk(pieces, 1s) == "HTTP/1.1 408 Request Timeout @10");
  CHECK(world.talk(pieces, 100ms) == "HTTP/1.1 200 OK @77");
  CHECK(world.server.statistics().refused == 1);
}

TEST_CASE("limits: a body that stops, and one that is too slow") {
  World world;
  CHECK(world.talk({post}) == "HTTP/1.1 408 Request Timeout @30");
  CHECK(world.handlers == 0);
  // A piece every 20 s is never idle for long, and far below 256 bytes a second.
  CHECK(world.talk({post, "x", "x", "x", "x"}, 20s) == "HTTP/1.1 408 Request Timeout @30");
  // 10,000 bytes every 20 s are enough.
  std::vector<std::string> pieces{post};
  for (int i = 0; i < 10; ++i) pieces.emplace_back(10'000, 'x');
  CHECK(world.talk(pieces, 20s) == "HTTP/1.1 200 OK @275");
  CHECK(world.handlers == 0);
}

TEST_CASE("limits: a handler that takes too long") {
  World world;
  CHECK(world.talk({"GET /for-ever HTTP/1.1\r\nHost: s\r\n\r\n"})
            .starts_with("HTTP/1.1 503 Service Unavailable @6"));
  CHECK(world.handlers == 0);
  CHECK(world.failures == "timed_out: handler: nothing within 60s; ");
  CHECK(world.server.statistics().failed_handlers == 1);
}

TEST_CASE("limits: a handler that is done in the turn in which its time ends") {
  http::ServerOptions options;
  options.handler_timeout = 5s;
  World world(options);
  CHECK(world.talk({"GET /slow HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n"}) == "HTTP/1.1 200 OK @5");
}

TEST_CASE("limits: a peer that does not read") {
  World world;
  auto deaf = [](World& world) -> Task<> {
    std::unique_ptr<Stream> stream = co_await world.sim.network().connect("s", 80);
    co_await stream->write(as_bytes("GET /big HTTP/1.1\r\nHost: s\r\n\r\n"));
    co_await sleep(100s);
  };
  world.scope.spawn(deaf(world));
  world.sim.advance(29s);
  CHECK(world.server.statistics().open == 1);
  world.sim.advance(2s);
  CHECK(world.server.statistics().open == 0);
  CHECK(world.failures == "timed_out: sending: nothing within 30s; ");
}

TEST_CASE("limits: every way of being slow ends within 75 s, and costs others nothing") {
  const std::string get = "GET / HTTP/1.1\r\nHost: s\r\n";
  struct Way {
    const char* name;
    std::vector<std::string> sent;  // one every `pause`, the last one for ever
    Duration pause;
    std::size_t room = 0;  // of each read, one every `pause`; 0: reads nothing
  };
  const std::vector<Way> ways = {
      {"says nothing", {}, 1s, 4096},
      {"a head that stops", {get}, 1h, 4096},
      {"a head that trickles", {get, "X: y\r\n"}, 3s, 4096},
      {"a body that stops", {post}, 1h, 4096},
      {"a body that trickles", {post, "x"}, 3s, 4096},
      {"reads nothing of its answer", {"GET /big HTTP/1.1\r\nHost: s\r\n\r\n"}, 1h},
      {"reads its answer slowly", {"GET /big HTTP/1.1\r\nHost: s\r\n\r\n"}, 1s, 50},
      {"asks once and stays", {get + "\r\n"}, 1h, 4096},
      {"chunks without content",
       {"POST / HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n", "1;x\r\ny\r\n"},
       3s,
       4096},
      {"asks again and again, each time slowly", {get, "X: y\r\n\r\n" + get}, 11s, 4096},
  };
  auto sends = [](Stream& stream, const Way& way) -> Task<> {
    for (std::size_t i = 0; !way.sent.empty(); ++i) {
      if (i != 0) co_await sleep(way.pause);
      Result<> sent = co_await stream.write(as_bytes(way.sent[std::min(i, way.sent.size() - 1)])).result();
      if (!sent) co_return;
    }
  };
  auto reads = [](Stream& stream, const Way& way) -> Task<> {
    std::vector<std::byte> room(std::max<std::size_t>(1, way.room));
    while (way.room != 0) {
      Result<std::size_t> count = co_await stream.read(room).result();
      if (!count || *count == 0) co_return;
      if (way.room < 100) co_await sleep(way.pause);
    }
  };
  for (const Way& way : ways) {
    CAPTURE(way.name);
    World world;
    std::unique_ptr<Stream> slow = *world.sim.run(world.sim.network().connect("s", 80));
    Scope peer(world.sim.reactor(), [](Error) {});
    peer.spawn(sends(*slow, way));
    peer.spawn(reads(*slow, way));
    world.sim.advance(20s);
    // Somebody else, meanwhile.
    CHECK(world.talk({get + "Connection: close\r\n\r\n"}) == "HTTP/1.1 200 OK @0");
    world.sim.advance(55s + 10ms);
    CHECK(world.server.statistics().open == 0);
    CHECK(world.handlers == 0);
    peer.cancel();
  }
}

TEST_CASE("limits: connections in all wait their turn; those of one peer are turned away") {
  for (const bool per_peer : {false, true}) {
    http::ServerOptions options;
    (per_peer ? options.connections_per_peer_max : options.connections_max) = 2;
    World world(options);
    std::vector<std::unique_ptr<Stream>> held;
    for (int i = 0; i < 3; ++i) {
      held.push_back(*world.sim.run(world.sim.network().connect("s", 80)));
      world.sim.settle();
    }
    CHECK(world.server.statistics().open == 2);
    CHECK(world.server.statistics().turned_away == (per_peer ? 1 : 0));
    held.erase(held.begin());
    world.sim.settle();
    CHECK(world.server.statistics().open == (per_peer ? 1 : 2));
    held.push_back(*world.sim.run(world.sim.network().connect("s", 80)));
    world.sim.settle();
    CHECK(world.server.statistics().open == 2);
  }
}

TEST_CASE("limits: no time moves with the wall clock, and the Date field follows it") {
  const Duration by = GENERATE(Duration(-48h), Duration(48h));
  World world;
  std::unique_ptr<Stream> stream = *world.sim.run(world.sim.network().connect("s", 80));
  auto date = [](Stream& stream) -> Task<std::string> {
    co_await stream.write(as_bytes("GET / HTTP/1.1\r\nHost: s\r\n\r\n"));
    std::vector<std::byte> room(4096);
    std::size_t count = co_await stream.read(room);
    const std::string answer(as_text(Bytes(room).first(count)));
    co_return answer.substr(answer.find("Date: ") + 6, 25);
  };
  CHECK(*world.sim.run(date(*stream)) == "Thu, 01 Jan 2026 00:00:00");
  world.sim.backend().move_wall_clock(by);
  world.sim.advance(1s);
  CHECK(*world.sim.run(date(*stream)) ==
        (by < Duration() ? "Tue, 30 Dec 2025 00:00:01" : "Sat, 03 Jan 2026 00:00:01"));
  world.sim.backend().move_wall_clock(by);
  world.sim.advance(74s);
  CHECK(world.server.statistics().open == 1);
  world.sim.advance(1s + 10ms);
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("limits: sizes of heads and bodies, and requests per connection") {
  http::ServerOptions options;
  options.head_bytes_max = 200;
  options.header_count_max = 3;
  options.body_bytes_max = 10;
  options.requests_per_connection_max = 2;
  World world(options);
  const std::string begin = "GET / HTTP/1.1\r\nHost: s\r\n";
  CHECK(world.talk({begin + "X: " + std::string(300, 'x') + "\r\n\r\n"}).starts_with("HTTP/1.1 431 "));
  CHECK(world.talk({begin + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n"}).starts_with("HTTP/1.1 431 "));
  CHECK(world.talk({"GET /" + std::string(300, 'x')}).starts_with("HTTP/1.1 414 "));
  CHECK(world.talk({"GET /" + std::string(300, 'x') + " HTTP/1.1\r\nHost: s\r\n\r\n"})
            .starts_with("HTTP/1.1 414 "));
  CHECK(world.talk({post}).starts_with("HTTP/1.1 413 "));
  CHECK(world.server.statistics().requests == 0);
  CHECK(world.talk({begin + "\r\n" + begin + "\r\n" + begin + "\r\n"}).starts_with("HTTP/1.1 200 "));
  CHECK(world.server.statistics().requests == 2);
}

TEST_CASE("limits: how long a target may be, and heads without a limit") {
  http::ServerOptions options;
  options.head_bytes_max = SIZE_MAX;
  World world(options);
  const auto ask = [&](std::size_t length) {
    const std::string head = "POST /" + std::string(length - 1, 'x') + " HTTP/1.1\r\nHost: s\r\n";
    return world.talk({head + "Connection: close\r\nContent-Length: 2\r\n\r\nab"});
  };
  CHECK(ask(9'000).starts_with("HTTP/1.1 200 "));
  CHECK(ask(60'000).starts_with("HTTP/1.1 200 "));
  CHECK(ask(70'000).starts_with("HTTP/1.1 414 "));
}

TEST_CASE("server: a client that goes away takes its handler with it") {
  const bool reset = GENERATE(false, true);
  // Behind its request: nothing, the beginning of another one, or a body that the handler reads to its end.
  const std::string request =
      GENERATE("GET /slow HTTP/1.1\r\nHost: s\r\n\r\n", "GET /slow HTTP/1.1\r\nHost: s\r\n\r\nGET",
               "POST /read-then-slow HTTP/1.1\r\nHost: s\r\nContent-Length: 3\r\n\r\n123",
               "GET /bit-by-bit HTTP/1.1\r\nHost: s\r\n\r\n");
  World world;
  std::unique_ptr<Stream> client = *world.sim.run(world.sim.network().connect("s", 80));
  REQUIRE(world.sim.run(client->write(as_bytes(request))));
  world.sim.advance(1s);
  CHECK(world.handlers == 1);
  if (reset) client->reset_on_close();
  client.reset();
  world.sim.advance(100ms);  // as long as the news may travel
  CHECK(world.handlers == 0);
  CHECK(world.server.statistics().abandoned == 1);
  CHECK(world.server.statistics().open == 0);
}

// HTTP/1.0 has no other sign of the end than the end of the connection.
TEST_CASE("server: an answer that is cut short ends in a reset, and never looks finished") {
  enum class Cut { grace, second_signal, cancelled, broken };
  const Cut how = GENERATE(Cut::grace, Cut::second_signal, Cut::cancelled, Cut::broken);
  World world;
  std::unique_ptr<Stream> stream = *world.sim.run(world.sim.network().connect("s", 80));
  const std::string path = how == Cut::broken ? "/breaks" : "/bit-by-bit";
  REQUIRE(world.sim.run(stream->write(as_bytes("GET " + path + " HTTP/1.0\r\n\r\n"))));
  Scope client(world.sim.reactor());
  JoinHandle<std::string> reading = client.spawn_joinable(all_and_end(*stream));
  world.sim.advance(15s);
  if (how == Cut::grace || how == Cut::second_signal) world.server.shutdown(how == Cut::grace ? 3s : 60s);
  if (how == Cut::second_signal) world.server.shutdown(Duration());
  if (how == Cut::cancelled) world.scope.cancel();
  Result<std::string> got = world.sim.run(std::move(reading).join());
  REQUIRE(got);
  INFO(*got);
  CHECK(got->starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(got->ends_with("\r\n\r\nt reset"));
}

TEST_CASE("server: a client that has ended its half gets its answer where that is wanted") {
  http::ServerOptions options;
  options.half_close = true;
  World world(options);
  auto half = [](World& world) -> Task<std::string> {
    std::unique_ptr<Stream> stream = co_await world.sim.network().connect("s", 80);
    co_await stream->write(as_bytes("GET /slow HTTP/1.1\r\nHost: s\r\n\r\n"));
    co_await stream->shutdown_write();
    std::string all;
    std::vector<std::byte> room(4096);
    for (;;) {
      std::size_t count = co_await stream->read(room);
      if (count == 0) co_return std::move(all);
      all += as_text(Bytes(room).first(count));
    }
  };
  Result<std::string> answer = world.sim.run(half(world));
  REQUIRE(answer);
  CHECK(answer->starts_with("HTTP/1.1 200 OK"));
}

TEST_CASE(
    "server: a client that has ended its half is gone for a handler that waits, unless that is unwanted") {
  struct Row {
    const char* path;
    bool waits;
  };
  const Row row =
      GENERATE(Row{"/now", false}, Row{"/yields", true}, Row{"/sleeps", true}, Row{"/streams", true});
  const bool half_close = GENERATE(false, true);
  CAPTURE(row.path, half_close);
  http::ServerOptions options;
  options.half_close = half_close;
  auto handle = [](http::Request request) -> Task<http::Response> {
    if (request.url.path() == "/yields") co_await yield();
    if (request.url.path() == "/sleeps") co_await sleep(1s);
    if (request.url.path() == "/streams") co_return http::Response(200, test::pieces({"a", "b"}, 1s));
    co_return http::Response(200, "whole");
  };
  Sim sim(Seed{3});
  http::Server server(handle, options);
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  auto half = [](Sim& sim, std::string path, std::string& all) -> Task<> {
    std::unique_ptr<Stream> stream = co_await sim.network().connect("s", 80);
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: s\r\n\r\n";
    co_await stream->write(as_bytes(request));
    co_await stream->shutdown_write();
    std::vector<std::byte> room(4096);
    for (;;) {
      std::size_t count = co_await stream->read(room);
      if (count == 0) co_return;
      all += as_text(Bytes(room).first(count));
    }
  };
  std::string answer;
  const Result<> outcome = sim.run(half(sim, row.path, answer));
  const bool served = half_close || !row.waits;
  CHECK(static_cast<bool>(outcome) == served);  // what is cut is reset
  const bool whole = answer.ends_with("whole") || answer.ends_with("0\r\n\r\n");
  CHECK(whole == served);
  CHECK(server.statistics().abandoned == (served ? 0 : 1));
  CHECK(server.statistics().open == 0);
}

TEST_CASE("server: who reads 64 KiB of a response within the limit is served, who takes longer is cut off") {
  struct Row {
    Duration pause;  // after each 1000 bytes
    bool served;
  };
  const Row row = GENERATE(Row{400ms, true}, Row{600ms, false});
  CAPTURE(row.served);
  SimNetworkOptions network;
  network.buffer = 1000;
  Sim sim(Seed{3}, network);
  auto handle = [](http::Request) -> Task<http::Response> {
    co_return http::Response(200, std::string(300'000, 'x'));
  };
  http::Server server(handle);
  Error told(Errc::internal);
  server.on_failure = [&told](const Error& error) { told = error; };
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  auto slowly = [](Sim& sim, Duration pause, std::size_t& read) -> Task<> {
    std::unique_ptr<Stream> stream = co_await sim.network().connect("s", 80);
    co_await stream->write(as_bytes("GET / HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n"));
    std::vector<std::byte> room(1000);
    for (;;) {
      std::size_t count = co_await stream->read(room);
      if (count == 0) co_return;
      read += count;
      co_await sleep(pause);
    }
  };
  std::size_t read = 0;
  const Result<> outcome = sim.run(slowly(sim, row.pause, read));
  CHECK(static_cast<bool>(outcome) == row.served);
  CHECK((read > 300'000) == row.served);
  if (row.served) return;
  CHECK(told.limit() == TimeLimit::write);
  CHECK(told.limit_length() == 30s);
}

TEST_CASE("server: a body that outlives its request fails, also while it is being read") {
  Sim sim(Seed{5});
  Scope readers(sim.reactor(), nullptr);
  std::string outcome;
  auto steals = [](Scope& scope, std::string& outcome, http::Request request) -> Task<http::Response> {
    auto reads = [](std::string& outcome, http::Body body) -> Task<> {
      Result<std::string> text = co_await body.text(1 * MiB).result();
      outcome = text ? *text : to_string(text.error());
    };
    scope.spawn(reads(outcome, std::move(request.body)));
    co_await sleep(1s);
    co_return http::Response(200);
  };
  http::Server server([&](http::Request request) { return steals(readers, outcome, std::move(request)); });
  Scope serving(sim.reactor());
  serving.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  REQUIRE(sim.run(stream->write(as_bytes(post))));
  sim.advance(500ms);
  CHECK(outcome.empty());
  sim.advance(1s);
  CHECK(outcome == "cancelled: the request is over");
  stream.reset();
  sim.settle();
}

namespace {

// A stream that somebody else wrote and that has only what it must have.
class Plain final : public Stream {
 public:
  explicit Plain(std::unique_ptr<Stream> inner) : inner_(std::move(inner)) {}
  Task<std::size_t> read_task(MutableBytes into) override { return inner_->read_task(into); }
  Task<> write_task(Bytes bytes) override { return inner_->write_task(bytes); }
  Task<> shutdown_write() override { return inner_->shutdown_write(); }
  bool readable_or_closed() override { return inner_->readable_or_closed(); }
  std::string peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<Stream> inner_;
};

}  // namespace

TEST_CASE("server: over a stream that cannot be watched, the same") {
  Sim sim(Seed{5});
  PipeEnds ends = pipe();
  ends.second = std::make_unique<Plain>(std::move(ends.second));
  http::Server server([](http::Request) -> Task<http::Response> { co_return http::Response(200, "x"); });
  Scope scope(sim.reactor());
  scope.spawn(server.serve_connection(std::move(ends.second)));
  auto asks = [](Stream& stream) -> Task<std::string> {
    co_await stream.write(as_bytes("GET / HTTP/1.1\r\nHost: s\r\n\r\n"));
    std::vector<std::byte> room(4096);
    std::size_t count = co_await stream.read(room);
    co_return std::string(as_text(Bytes(room).first(count)));
  };
  for (int i = 0; i < 3; ++i) {
    CHECK(sim.run(asks(*ends.first))->starts_with("HTTP/1.1 200 OK\r\n"));
    sim.advance(70s);
  }
  CHECK(server.statistics().open == 1);
  sim.advance(5s);
  CHECK(server.statistics().open == 0);
  CHECK(sim.run(scope.join()));
}
