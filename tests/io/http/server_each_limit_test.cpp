// That each of a server's limits is that of its option and begins anew with each request of a connection, and
// what is on the wire when a response is given up. In simulated time.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

// A body that brings a byte every 10 s, without end.
class Ticks final : public http::BodySource {
 public:
  Task<std::string> read() override {
    co_await sleep(10s);
    co_return "t";
  }
};

// Says that it has another length.
class Liar final : public http::BodySource {
 public:
  Liar(std::string text, std::uint64_t said) : text_(std::move(text)), said_(said) {}
  Task<std::string> read() override { co_return std::exchange(text_, {}); }
  std::optional<std::uint64_t> length() const override { return said_; }

 private:
  std::string text_;
  std::uint64_t said_;
};

Task<http::Response> serve(http::Request request) {
  const std::string path = request.url.path();
  if (path == "/for-ever") co_await sleep(Duration::max());
  if (path == "/some") co_return http::Response(200, std::string(50'000, 's'));
  if (path == "/big") co_return http::Response(200, std::string(1 * MiB, 'b'));
  if (path == "/longer") co_return http::Response(200, http::Body(std::make_unique<Liar>("12345", 4)));
  if (path == "/shorter") co_return http::Response(200, http::Body(std::make_unique<Liar>("12345", 6)));
  if (path == "/ticks") {
    co_await sleep(1s);
    co_return http::Response(200, http::Body(std::make_unique<Ticks>()));
  }
  std::string body = co_await request.body.text(16 * MiB);
  co_return http::Response(200, std::to_string(body.size()));
}

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

std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: s\r\n\r\n"; }

const std::string post = "POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 100000\r\n\r\n";
const std::string body(100'000, 'x');

struct World {
  explicit World(http::ServerOptions options = {}, SimNetworkOptions network = {})
      : sim(Seed{11}, network), server(serve, options), scope(sim.reactor(), [](Error) {}) {
    server.on_failure = [this](const Error& error) { failures += to_string(error) + "; "; };
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }

  std::unique_ptr<Stream> connect() { return *sim.run(sim.network().connect("s", 80)); }

  // A client that has sent these bytes.
  std::unique_ptr<Stream> asking(const std::string& bytes) {
    std::unique_ptr<Stream> stream = connect();
    REQUIRE(sim.run(stream->write(as_bytes(bytes))));
    return stream;
  }

  // Sends `pieces` with `pause` before each but the first, and reads to the end: each status that came, and
  // after how many seconds the end.
  std::string talk(std::vector<std::string> pieces, Duration pause = Duration()) {
    auto writes = [](Stream& stream, std::vector<std::string> pieces, Duration pause) -> Task<> {
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (i != 0) co_await sleep(pause);
        co_await stream.write(as_bytes(pieces[i]));
      }
    };
    const Instant began = sim.reactor().now();
    std::unique_ptr<Stream> stream = connect();
    Scope writing(sim.reactor(), [](Error) {});
    writing.spawn(writes(*stream, std::move(pieces), pause));
    const std::string all = *sim.run(all_and_end(*stream));
    writing.cancel();
    std::string told;
    for (std::size_t at = all.find("HTTP/1.1 "); at != all.npos; at = all.find("HTTP/1.1 ", at + 1)) {
      told += all.substr(at + 9, 4);
    }
    return told + '@' + std::to_string((sim.reactor().now() - began).count() / 1'000'000'000);
  }

  std::string failures;
  Sim sim;
  http::Server server;
  Scope scope;
};

}  // namespace

TEST_CASE("limits: each request of a connection has all of its time, and only what it sent itself counts") {
  const bool joined = GENERATE(false, true);  // one request's end and the next one's head in one read
  const auto two_posts = [&](std::vector<std::string> rest) {
    std::vector<std::string> pieces = joined ? std::vector{post, body + post} : std::vector{post, body, post};
    pieces.insert(pieces.end(), rest.begin(), rest.end());
    return pieces;
  };
  World world;
  // Each waits 25 s for its body; one that waited as long as both would be given up. Then 75 s idle.
  CHECK(world.talk(two_posts({body}), 25s) == (joined ? "200 200 @125" : "200 200 @150"));
  // The second is far below 256 bytes a second. That the first was fast does not count.
  CHECK(world.talk(two_posts({"x", "x", "x", "x"}), 20s) == (joined ? "200 408 @50" : "200 408 @70"));
  CHECK(world.talk(two_posts({}), 1s) == (joined ? "200 408 @31" : "200 408 @32"));
}

TEST_CASE("limits: each of them is that of its option") {
  http::ServerOptions options;
  options.head_timeout = 2s;
  options.idle_timeout = 4s;
  options.handler_timeout = 6s;
  options.body_idle = 8s;
  options.write_stall = 11s;
  World world(options);
  CHECK(world.talk({"GET / HTTP/1.1\r\nHo"}).starts_with("408 @2"));
  CHECK(world.talk({}) == "@4");
  CHECK(world.talk({get("/")}) == "200 @4");
  CHECK(world.talk({get("/for-ever")}).starts_with("503 @"));
  CHECK(world.failures == "timed_out: handler: nothing within 6s; ");
  world.failures.clear();
  CHECK(world.talk({post}).starts_with("408 @8"));
  const std::unique_ptr<Stream> deaf = world.asking(get("/big"));
  world.sim.advance(11s - 1ms);
  CHECK(world.server.statistics().open == 1);
  world.sim.advance(2ms);
  CHECK(world.server.statistics().open == 0);
  CHECK(world.failures == "timed_out: sending: nothing within 11s; ");
}

TEST_CASE("limits: a client that takes no end of a connection does not hold it for ever") {
  // Over TLS the end is a record, which waits for room where the client does not read.
  class Endless final : public Stream {
   public:
    explicit Endless(std::unique_ptr<Stream> inner) : inner_(std::move(inner)) {}
    Task<> shutdown_write() override { return sleep(Duration::max()); }
    bool readable_or_closed() override { return inner_->readable_or_closed(); }
    std::string peer() const override { return "endless"; }
    Task<std::size_t> read_task(MutableBytes into) override { return inner_->read_task(into); }
    Task<> write_task(Bytes bytes) override { return inner_->write_task(bytes); }

   private:
    std::unique_ptr<Stream> inner_;
  };
  Sim sim;
  http::Server server(serve);
  PipeEnds ends = pipe();
  Scope scope(sim.reactor());
  scope.spawn(server.serve_connection(std::make_unique<Endless>(std::move(ends.second))));
  REQUIRE(sim.run(ends.first->write(as_bytes("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))));
  sim.advance(1s);
  CHECK(server.statistics().open == 1);
  sim.advance(2s);
  CHECK(server.statistics().open == 0);
}

TEST_CASE("limits: a response that streams may take longer than its handler") {
  http::ServerOptions options;
  options.handler_timeout = 5s;
  World world(options);
  std::unique_ptr<Stream> stream = world.asking(get("/ticks"));
  world.sim.advance(100s);
  CHECK(world.server.statistics().open == 1);
  CHECK(world.server.statistics().failed_handlers == 0);
  CHECK(world.failures.empty());
  stream.reset();
  world.sim.advance(11s);
  CHECK(world.server.statistics().open == 0);
}

// Asks for 50,000 bytes and behind that for what never comes, takes the first few, and 6 s later the rest.
std::string read_late(World& world, const std::string& behind, Duration then = 6s) {
  std::unique_ptr<Stream> stream = world.asking(get("/some") + behind);
  std::vector<std::byte> room(500);
  const std::size_t count = *world.sim.run(stream->read(room));
  std::string got(as_text(Bytes(room).first(count)));
  world.sim.advance(then);
  got += *world.sim.run(all_and_end(*stream));
  stream.reset();
  world.sim.advance(1s);
  return got;
}

TEST_CASE("server: a handler whose time ends while an earlier response is sent is answered behind that") {
  const bool reads = GENERATE(false, true);  // it reads the request's body, and that is what takes too long
  CAPTURE(reads);
  http::ServerOptions options;
  options.handler_timeout = options.body_idle = 5s;
  SimNetworkOptions network;
  network.buffer = 1000;
  World world(options, network);
  const std::string got = read_late(world, reads ? post : get("/for-ever"));
  CHECK(got.starts_with("HTTP/1.1 200 OK\r\n"));
  const std::size_t last = got.find("HTTP/1.1 ", 1);
  REQUIRE(last != got.npos);
  CHECK(got.substr(last - 50'000, 50'000) == std::string(50'000, 's'));
  CHECK(got.substr(last + 9, 4) == (reads ? "408 " : "503 "));
  CHECK(got.find("Connection: close\r\n", last) != got.npos);
  CHECK(got.ends_with(reads ? "Request Timeout\n" : "Service Unavailable\n"));
  CHECK(world.server.statistics().open == 0);
  CHECK(world.failures == (reads ? "" : "timed_out: handler: nothing within 5s; "));
  CHECK(world.server.statistics().failed_handlers == (reads ? 0 : 1));
  CHECK(world.server.statistics().refused == (reads ? 1 : 0));
}

TEST_CASE("server: nothing follows a response of which a part was sent and the rest given up") {
  http::ServerOptions options;
  options.handler_timeout = 5s;
  options.write_stall = 5500ms;
  SimNetworkOptions network;
  network.buffer = 1000;
  World world(options, network);
  const std::string got = read_late(world, get("/for-ever"), 7s);
  CHECK(got.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(got.ends_with(" reset"));
  CHECK(got.find("503") == got.npos);
  CHECK(world.server.statistics().open == 0);
  CHECK(world.failures ==
        "timed_out: handler: nothing within 5s; timed_out: sending: nothing within 5500ms; ");
}

TEST_CASE("server: a body that is longer than it said is cut there, and one that is shorter broken off") {
  const bool longer = GENERATE(false, true);
  World world;
  const std::unique_ptr<Stream> stream = world.asking(get(longer ? "/longer" : "/shorter"));
  const std::string got = *world.sim.run(all_and_end(*stream));
  INFO(got);
  CHECK(got.ends_with(" reset"));
  const std::size_t end = got.find("\r\n\r\n");
  const std::size_t sent = end == got.npos ? 0 : got.size() - end - 4 - std::string_view(" reset").size();
  CHECK(sent < (longer ? 4u : 6u));  // nobody may take it for whole
  CHECK(world.failures.starts_with(longer ? "invalid_argument: the body is longer than it said"
                                          : "invalid_argument: the body is shorter than it said"));
}
