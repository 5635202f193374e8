// Bodies made by sequences, and received bodies read as sequences and lines: in simulated time.

#include <escapement/io/http/body_sequence.h>

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/channel.h>
#include <escapement/core/generator.h>
#include <escapement/core/scope.h>
#include <escapement/io/buffered_reader.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "support/alive.h"
#include "support/raw_http.h"

using namespace escapement;
using escapement::test::Alive;

namespace {

// Yields the pieces with pauses and empty values between them, then ends or fails.
Generator<std::string> pieces(std::vector<std::string> texts, bool fails = false) {
  for (const std::string& text : texts) {
    co_yield text;
    co_await sleep(1ms);
    co_yield std::string();
  }
  if (fails) co_await Error(Errc::unavailable, "the source broke");
}

Generator<std::string> endless(int& alive) {
  Alive guard(alive);
  for (;;) {
    co_await sleep(1ms);
    co_yield "tick\n";
  }
}

http::Request post(http::Body body) {
  return http::Request("POST", *http::Url::parse("http://s/"), {}, std::move(body));
}

// A server in simulated time, and a client of it.
struct World {
  explicit World(http::Service handler)
      : server(std::move(handler)), scope(sim.reactor(), nullptr), client(sim.network()) {
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }
  Sim sim{Seed{7}};
  http::Server server;
  Scope scope;
  http::Client client;
};

Task<std::string> text_of(const http::Client& client, http::Request request) {
  http::Response response = co_await client(std::move(request));
  std::string text = co_await response.body.text(1 * MiB);
  co_return std::move(text);
}

}  // namespace

TEST_CASE("streamed_body: a response and a request whose bytes a generator makes") {
  World world([](http::Request request) -> Task<http::Response> {
    std::string text = co_await request.body.text(1 * MiB);
    co_return http::Response(200, http::streamed_body(pieces({"got ", text, "!"})));
  });
  CHECK(*world.sim.run(text_of(world.client, post("x"))) == "got x!");
  CHECK(*world.sim.run(text_of(world.client, post(http::streamed_body(pieces({"a", "b", "c"}))))) ==
        "got abc!");
  CHECK(*world.sim.run(text_of(world.client, post(http::streamed_body(pieces({}))))) == "got !");
  CHECK(*world.sim.run(text_of(world.client, post(http::streamed_body(pieces({"a", "bc"}), 3)))) ==
        "got abc!");
}

TEST_CASE("Body: of a generator, kept or not") {
  Sim sim;
  http::Body kept(pieces({"a", "bc"}));
  CHECK(*sim.run(kept.text(100)) == "abc");
  CHECK_FALSE(kept.replayable());
  Generator<std::string> ours = pieces({"d", "ef"});
  http::Body borrowed(ours);
  CHECK(*sim.run(borrowed.text(100)) == "def");
}

TEST_CASE("streamed_body: without a length it is chunked, with one it is not") {
  const bool known = GENERATE(false, true);
  World world([known](http::Request) -> Task<http::Response> {
    std::optional<std::uint64_t> length;
    if (known) length = 3;
    co_return http::Response(200, http::streamed_body(pieces({"a", "bc"}), length));
  });
  auto ask = [&]() -> Task<std::unique_ptr<Stream>> {
    std::unique_ptr<Stream> stream = co_await world.sim.network().connect("s", 80);
    co_await stream->write(as_bytes("GET / HTTP/1.1\r\nHost: s\r\n\r\n"));
    co_return std::move(stream);
  };
  std::unique_ptr<Stream> stream = *world.sim.run(ask());
  const std::string answer = test::read_for(world.sim, *stream, 1s);
  const bool chunked = answer.find("Transfer-Encoding: chunked") != answer.npos;
  CHECK(chunked == !known);
  CHECK(answer.ends_with(known ? "\r\n\r\nabc" : "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"));
}

TEST_CASE("streamed_body: a sequence that fails, or lies about its length, never looks like a shorter body") {
  const int how = GENERATE(0, 1, 2);
  World world([how](http::Request) -> Task<http::Response> {
    std::optional<std::uint64_t> length;
    if (how > 0) length = how == 1 ? 2 : 4;
    co_return http::Response(200, http::streamed_body(pieces({"a", "bc"}, how == 0), length));
  });
  Result<std::string> text = world.sim.run(text_of(world.client, http::get("http://s/")));
  REQUIRE(!text);
  CHECK(text.error() == Errc::reset);
}

TEST_CASE("streamed_body: a request whose sequence fails, fails with its error") {
  World world([](http::Request request) -> Task<http::Response> {
    std::string text = co_await request.body.text(1 * MiB);
    co_return http::Response(200, text);
  });
  auto ask = [&]() -> Task<Errc> {
    Generator<std::string> broken = pieces(std::vector<std::string>(1, "a"), true);
    http::Request request = post(http::streamed_body(std::move(broken)));
    Result<std::string> text = co_await text_of(world.client, std::move(request)).result();
    co_return text ? Errc::internal : text.error().code();
  };
  CHECK(*world.sim.run(ask()) == Errc::unavailable);
}

TEST_CASE("streamed_body: is not replayable; skips empty values; takes views, bytes and channels") {
  Sim sim;
  auto use = []() -> Task<> {
    http::Body body = http::streamed_body(pieces({"a", "b"}));
    CHECK_FALSE(body.replayable());
    CHECK_FALSE(body.length());
    std::string text = co_await body.text(10);
    CHECK(text == "ab");
    std::string end = co_await body.read();
    CHECK(end.empty());

    auto views = []() -> Generator<std::string_view> {
      const std::string local = "view";
      co_yield local;
    };
    http::Body of_views = http::streamed_body(views());
    text = co_await of_views.text(10);
    CHECK(text == "view");

    Channel<std::string> channel(4);
    co_await channel.send(std::string("from "));
    co_await channel.send(std::string("a channel"));
    channel.close();
    http::Body of_channel = http::streamed_body(channel);
    text = co_await of_channel.text(100);
    CHECK(text == "from a channel");
  };
  CHECK(sim.run(use()));
}

TEST_CASE("streamed_body: a client that leaves cancels the sequence") {
  int alive = 0;
  World world([&alive](http::Request) -> Task<http::Response> {
    co_return http::Response(200, http::streamed_body(endless(alive)));
  });
  auto ask = [&]() -> Task<> {
    http::Response response = co_await world.client(http::get("http://s/"));
    BufferedReader reader(http::BodyChunks(response.body));
    for (int i = 0; i < 3; ++i) {
      std::optional<std::string> line = co_await reader.line();
      CHECK(line == "tick");
    }
    CHECK(alive == 1);
  };
  CHECK(world.sim.run(ask()));
  world.sim.advance(1s);
  CHECK(alive == 0);
}

TEST_CASE("BodyChunks: a received body as lines, whatever its chunks; a body that breaks off fails") {
  const bool fails = GENERATE(false, true);
  World world([fails](http::Request) -> Task<http::Response> {
    co_return http::Response(200, http::streamed_body(pieces({"fir", "st\r\nsecond", "\n", "third"}, fails)));
  });
  auto ask = [&]() -> Task<> {
    http::Response response = co_await world.client(http::get("http://s/"));
    BufferedReader reader(http::BodyChunks(response.body));
    std::optional<std::string> line = co_await reader.line();
    CHECK(line == "first");
    line = co_await reader.line();
    CHECK(line == "second");
    Result<std::optional<std::string>> last = co_await reader.line().result();
    if (fails) {
      CHECK(last.error() == Errc::reset);
      CHECK(reader.buffered() == "third");
    } else {
      CHECK(**last == "third");
      line = co_await reader.line();
      CHECK(!line);
    }
  };
  CHECK(world.sim.run(ask()));
}
