// Client and server together in a simulated network, and each against a scripted peer.

#include <stdexcept>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/progress.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

Task<http::Response> echo(http::Request request) {
  if (request.url.path() == "/fail") co_return Error(Errc::internal, "on purpose");
  if (request.url.path() == "/slow") co_await sleep(5s);
  std::string body = co_await request.body.text(16 * MiB);
  co_return http::Response(
      200, std::string(request.method.text()) + ' ' + std::string(request.target) + ' ' + body);
}

Task<http::Response> stream_back(http::Request request) {
  http::Response response(200);
  response.body = std::move(request.body);
  co_return std::move(response);
}

// A simulated world with a server at "s:80".
struct World {
  explicit World(http::Service service, SimNetworkOptions network = {}, http::ServerOptions options = {})
      : sim(Seed{7}, network),
        server(std::move(service), options),
        scope(sim.reactor()),
        client(sim.network()) {
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }

  // "200 body" or the error.
  std::string ask(http::Request request) {
    auto call = [](const http::Client& client, http::Request request) -> Task<std::string> {
      http::Response response = co_await client(std::move(request));
      std::string body = co_await response.body.text(16 * MiB);
      co_return std::to_string(response.status) + ' ' + body;
    };
    Result<std::string> result = sim.run(call(client, std::move(request)));
    return result ? *result : to_string(result.error());
  }
  std::string ask(std::string_view path) { return ask(http::get("http://s" + std::string(path))); }

  // Everything that the server sends to these bytes.
  std::string raw(std::string bytes) {
    auto talk = [](SimNetwork& network, std::string bytes) -> Task<std::string> {
      std::unique_ptr<Stream> stream = co_await network.connect("s", 80);
      co_await stream->write(as_bytes(bytes));
      std::string all;
      std::vector<std::byte> room(4096);
      for (;;) {
        Result<std::size_t> count = co_await stream->read(room).result();
        if (!count || *count == 0) co_return std::move(all);
        all += as_text(Bytes(room).first(*count));
      }
    };
    Result<std::string> result = sim.run(talk(sim.network(), std::move(bytes)));
    return result ? *result : to_string(result.error());
  }

  Sim sim;
  http::Server server;
  Scope scope;
  http::Client client;
};

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// A server that plays one script for each connection: reads until it has seen `expect`, sends `answer`.
struct Line {
  Line(std::string e, std::string a) : expect(std::move(e)), answer(std::move(a)) {}
  std::string expect;
  std::string answer;
};
Task<> play(SimNetwork& network, std::vector<std::vector<Line>> scripts) {
  std::unique_ptr<Listener> listener = co_await network.listen("s:80");
  for (const std::vector<Line>& script : scripts) {
    std::unique_ptr<Stream> stream = co_await listener->accept();
    for (const Line& line : script) {
      std::string seen;
      std::vector<std::byte> room(4096);
      while (seen.find(line.expect) == seen.npos) {
        Result<std::size_t> count = co_await stream->read(room).result();
        if (!count || *count == 0) break;
        seen += as_text(Bytes(room).first(*count));
      }
      co_await stream->write(as_bytes(line.answer));
    }
    co_await sleep(10ms);  // then it closes
  }
}

}  // namespace

TEST_CASE("exchange: bodies both ways, on one kept connection, at every network") {
  std::vector<SimNetworkOptions> networks(3);
  networks[1].latency = 3ms;
  networks[1].chunk_max = 7;
  networks[2].buffer = 100;
  networks[2].jitter = 1ms;
  for (const SimNetworkOptions& network : networks) {
    World world(echo, network);
    CHECK(world.ask("/a?b") == "200 GET /a?b ");
    const std::string big(50'000, 'x');
    CHECK(world.ask(http::Request("POST", *http::Url::parse("http://s/p"), {}, big)) == "200 POST /p " + big);
    CHECK(world.ask(http::Request("HEAD", *http::Url::parse("http://s/h"))) == "200 ");
    CHECK(world.client.connections_made() == 1);
    CHECK(world.client.idle_connections() == 1);
  }
}

TEST_CASE("exchange: an answer may stream what is still being sent") {
  SimNetworkOptions network;
  network.buffer = 500;
  World world(stream_back, network);
  const std::string big(100'000, 's');
  CHECK(world.ask(http::Request("POST", *http::Url::parse("http://s/"), {}, big)) == "200 " + big);
  http::Request expecting("POST", *http::Url::parse("http://s/"), http::Headers{{"Expect", "100-continue"}},
                          big);
  CHECK(world.ask(std::move(expecting)) == "200 " + big);
  CHECK(world.client.connections_made() == 1);
}

TEST_CASE("server: pieces of a body go out together where they are there, and none waits for the next") {
  // Two at once, the third a second later, and a second later it breaks.
  class Pieces final : public http::BodySource {
   public:
    Task<std::string> read() override {
      const int number = read_++;
      if (number >= 2) co_await sleep(1s);
      if (number == 3) co_await Error(Errc::internal, "on purpose");
      co_return std::string(1, static_cast<char>('a' + number));
    }

   private:
    int read_ = 0;
  };
  World world([](http::Request) -> Task<http::Response> {
    co_return http::Response(200, http::Body(std::make_unique<Pieces>()));
  });
  auto talk = [](SimNetwork& network) -> Task<std::vector<std::string>> {
    std::unique_ptr<Stream> stream = co_await network.connect("s", 80);
    co_await stream->write(as_bytes("GET / HTTP/1.1\r\nHost: s\r\n\r\n"));
    Reactor& reactor = co_await this_reactor;
    const Instant began = reactor.now();
    std::vector<std::string> seen;
    std::vector<std::byte> room(4096);
    for (;;) {
      Result<std::size_t> count = co_await stream->read(room).result();
      std::string what = std::to_string((reactor.now() - began) / Duration(1s)) + " s: ";
      what += count ? std::string(as_text(Bytes(room).first(*count))) : std::string("broken");
      seen.push_back(std::move(what));
      if (!count || *count == 0) co_return std::move(seen);
    }
  };
  const Result<std::vector<std::string>> seen = world.sim.run(talk(world.sim.network()));
  REQUIRE(seen);
  REQUIRE(seen->size() == 3);
  CHECK((*seen)[0].starts_with("0 s: HTTP/1.1 200 OK\r\n"));
  CHECK((*seen)[0].ends_with("\r\n\r\n1\r\na\r\n1\r\nb\r\n"));
  CHECK((*seen)[1] == "1 s: 1\r\nc\r\n");
  CHECK((*seen)[2] == "2 s: broken");
}

TEST_CASE("server: a failed handler is a 500 for that request only") {
  World world(echo);
  CHECK(world.ask("/fail") == "500 Internal Server Error\n");
  CHECK(world.ask("/ok") == "200 GET /ok ");
  CHECK(world.client.connections_made() == 1);
  CHECK(world.server.statistics().failed_handlers == 1);
}

#ifdef __cpp_exceptions
// A service need not be a coroutine: what it throws comes before there is a task.
TEST_CASE("server: a service that throws is a 500 for that request only, and so is one told of failures") {
  World world([](http::Request request) -> Task<http::Response> {
    if (request.url.path() == "/throws") throw std::runtime_error("on purpose");
    return echo(std::move(request));
  });
  std::string told;
  world.server.on_failure = [&](const Error& error) {
    told += to_string(error);
    throw std::runtime_error("nobody hears of this");
  };
  const std::string get = " HTTP/1.1\r\nHost: s\r\n";
  const std::string answers =
      world.raw("GET /a" + get + "\r\nGET /throws" + get + "\r\nPOST /throws" + get +
                "Content-Length: 2\r\n\r\nab" + "GET /b" + get + "Connection: close\r\n\r\n");
  CHECK(occurrences(answers, "HTTP/1.1 200 OK") == 2);
  CHECK(occurrences(answers, "HTTP/1.1 500 ") == 2);
  CHECK(answers.ends_with("GET /b "));
  CHECK(told == "exception: on purposeexception: on purpose");
  CHECK(world.server.statistics().failed_handlers == 2);
}
#endif

TEST_CASE("server: pipelined requests are answered in order") {
  World world(echo);
  const std::string answer = world.raw(
      "GET /1 HTTP/1.1\r\nHost: s\r\n\r\nPOST /2 HTTP/1.1\r\nHost: s\r\nContent-Length: 2\r\n\r\nhi"
      "GET /3 HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n");
  CHECK(occurrences(answer, "HTTP/1.1 200 OK") == 3);
  CHECK(answer.find("GET /1") < answer.find("POST /2 hi"));
  CHECK(answer.find("POST /2 hi") < answer.find("GET /3"));
  CHECK(answer.find("Connection: close") != answer.npos);
}

TEST_CASE("server: what it refuses, and limits in bytes and time") {
  http::ServerOptions options;
  options.body_bytes_max = 10;
  World world(echo, {}, options);
  CHECK(world.raw("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(world.raw("GET / HTTP/3.0\r\nHost: s\r\n\r\n").starts_with("HTTP/1.1 505 "));
  CHECK(world.raw("POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 11\r\n\r\n").starts_with("HTTP/1.1 413 "));
  CHECK(
      world
          .raw(
              "POST / HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n")
          .starts_with("HTTP/1.1 413 "));
  CHECK(world.raw("POST / HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
            .starts_with("HTTP/1.1 501 "));
  CHECK(world.raw("GET / HTTP/1.1\r\nHost: s\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n")
            .starts_with("HTTP/1.1 431 "));

  Duration began = world.sim.elapsed();
  CHECK(world.raw("GET / HTTP/1.1\r\nHo").starts_with("HTTP/1.1 408 "));
  CHECK(world.sim.elapsed() - began >= Duration(10s));
  CHECK(world.sim.elapsed() - began <= Duration(12s));
  began = world.sim.elapsed();
  CHECK(world.raw("").empty());  // says nothing: closed when the idle timeout expires
  CHECK(world.sim.elapsed() - began == Duration(75s));
}

TEST_CASE("server: leave to send a body is given when the handler reads it") {
  World world(echo);
  const std::string answer = world.raw(
      "POST /x HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: "
      "close\r\n\r\nhi");
  CHECK(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

TEST_CASE("server: behind a request whose body was not asked for nothing is read") {
  World world(echo);
  const std::string answers = world.raw(
      "POST /fail HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: s\r\n\r\n");
  CHECK(answers.starts_with("HTTP/1.1 500 "));
  CHECK(occurrences(answers, "Connection: close\r\n") == 1);
  CHECK(occurrences(answers, "HTTP/1.1 ") == 1);
}

TEST_CASE("server: shutdown closes idle connections, drains the others, cuts what takes too long") {
  for (const Duration grace : {Duration(10s), Duration(1s)}) {
    World world(echo);
    CHECK(world.ask("/idle") == "200 GET /idle ");
    http::Client other(world.sim.network());
    std::string answer;
    auto slow = [](const http::Client& client, std::string& answer) -> Task<> {
      Result<http::Response> response = co_await client(http::get("http://s/slow")).result();
      answer = response ? std::to_string(response->status) : std::string(name(response.error().code()));
    };
    world.scope.spawn(slow(other, answer));
    world.sim.advance(100ms);
    world.server.shutdown(grace);
    CHECK(world.sim.run(world.scope.join()));
    CHECK(answer == (grace > Duration(5s) ? "200" : "reset"));
    CHECK(world.server.shutdown_report().idle_closed == 1);
    CHECK(world.server.statistics().open == 0);
  }
}

TEST_CASE("server: while it shuts down every answer says that the connection closes") {
  World world(echo);
  std::string before;
  std::string during;
  auto asks = [](SimNetwork& network, std::string path, std::string& answer) -> Task<> {
    std::unique_ptr<Stream> stream = co_await network.connect("s", 80);
    co_await stream->write(as_bytes("GET " + path + " HTTP/1.1\r\nHost: s\r\n\r\n"));
    std::vector<std::byte> room(4096);
    std::size_t count = co_await stream->read(room);
    answer = as_text(Bytes(room).first(count));
  };
  Scope clients(world.sim.reactor());
  clients.spawn(asks(world.sim.network(), "/fast", before));
  clients.spawn(asks(world.sim.network(), "/slow", during));
  world.sim.advance(1s);
  world.server.shutdown(10s);
  CHECK(world.sim.run(clients.join()));
  CHECK(world.sim.elapsed() == 5s);
  CHECK(before.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(before.find("Connection:") == before.npos);
  CHECK(during.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(during.find("Connection: close\r\n") != during.npos);
}

TEST_CASE("client: a call that was cancelled never leaves its answer for the next one") {
  World world(echo);
  auto impatient = [](const http::Client& client) -> Task<> {
    Result<http::Response> late = co_await with_timeout(1s, client(http::get("http://s/slow"))).result();
    CHECK(late.error() == Errc::timed_out);
  };
  REQUIRE(world.sim.run(impatient(world.client)));
  CHECK(world.ask("/next") == "200 GET /next ");
  CHECK(world.client.connections_made() == 2);
}

TEST_CASE("client: a kept connection that the server closed is replaced, an idle one evicted") {
  http::ServerOptions options;
  options.idle_timeout = 20s;
  World world(echo, {}, options);
  CHECK(world.ask("/1") == "200 GET /1 ");
  world.sim.advance(30s);  // the server has closed it
  CHECK(world.ask("/2") == "200 GET /2 ");
  CHECK(world.client.connections_made() == 2);

  World patient(echo);
  http::ClientOptions short_lived;
  short_lived.idle_timeout = 5s;
  patient.client = http::Client(patient.sim.network(), short_lived);
  CHECK(patient.ask("/1") == "200 GET /1 ");
  CHECK(patient.client.idle_connections() == 1);
  patient.sim.advance(4999ms);
  CHECK(patient.client.idle_connections() == 1);
  patient.sim.advance(1ms);
  CHECK(patient.client.idle_connections() == 0);
}

TEST_CASE("client: against peers that break, lie, or say nothing") {
  struct Row {
    const char* what;
    std::vector<std::vector<Line>> scripts;
    std::string expected;
  };
  const Line ok{"\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
  const std::vector<Row> rows{
      {"garbage", {{{"\r\n\r\n", "SSH-2.0\r\n\r\n"}}}, "bad_message"},
      {"closes without an answer", {{{"\r\n\r\n", ""}}}, "reset"},
      {"a body that is cut", {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"}}}, "reset"},
      {"chunks that are cut",
       {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}}},
       "reset"},
      {"a head that does not end",
       {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x')}}},
       "limit_exceeded"},
      {"switches protocols unasked",
       {{{"\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"}}},
       "bad_message"},
      {"interim answers first",
       {{{"\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ni"}}},
       "200 i"},
      {"until the connection ends", {{{"\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nto the end"}}}, "200 to the end"},
      {"bytes that nobody asked for are not the next answer",
       {{{"\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"}},
        {ok}},
       "200 ok"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Sim sim(Seed{3});
    Scope scope(sim.reactor(), [](Error) {});
    scope.spawn(play(sim.network(), row.scripts));
    sim.settle();
    http::Client client(sim.network());
    auto call = [](const http::Client& client) -> Task<std::string> {
      http::Response response = co_await client(http::get("http://s/"));
      std::string body = co_await response.body.text(1 * MiB);
      co_return std::to_string(response.status) + ' ' + body;
    };
    Result<std::string> first = sim.run(call(client));
    CHECK((first ? *first : std::string(name(first.error().code()))) == row.expected);
    if (row.scripts.size() > 1) CHECK(*sim.run(call(client)) == "200 ok");
  }
}

TEST_CASE("client: that the server closed instead of answering is told as data") {
  struct Row {
    const char* answer;
    bool closed_unanswered;
  };
  const Row row = GENERATE(Row{"", true}, Row{"HTTP/1.1 103 Early Hints\r\n\r\n", true}, Row{"H", false},
                           Row{"HTTP/1.1 200 OK\r\n", false}, Row{"SSH-2.0\r\n\r\n", false},
                           Row{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel", false},
                           Row{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false});
  CAPTURE(row.answer);
  Sim sim(Seed{3});
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(play(sim.network(), {{{"\r\n\r\n", row.answer}}}));
  sim.settle();
  http::Client client(sim.network());
  http::Request request = http::get("http://s/");
  request.progress = std::make_shared<http::CallProgress>();
  const std::shared_ptr<http::CallProgress> progress = request.progress;
  progress->closed_unanswered = true;  // of an attempt before this one
  (void)sim.run(client(std::move(request)));
  CHECK(progress->closed_unanswered == row.closed_unanswered);
}

TEST_CASE("client: its limits in time, and no more connections than allowed") {
  Sim sim(Seed{3});
  Scope scope(sim.reactor(), [](Error) {});
  sim.network().add_host("hole");
  SimFaults hole;
  hole.black_hole = true;
  sim.network().set_faults("hole", hole);
  http::Client client(sim.network());
  Result<http::Response> unreachable = sim.run(client(http::get("http://hole/")));
  CHECK(unreachable.error() == Errc::timed_out);
  CHECK(to_string(unreachable.error()) == "timed_out: connect to hole:80: no connection within 10s");
  CHECK(!unreachable.error().maybe_sent());
  CHECK(sim.elapsed() == 10s);

  World world(echo);
  http::ClientOptions two;
  two.connections_per_host_max = 2;
  world.client = http::Client(world.sim.network(), two);
  auto slow = [](const http::Client& client) -> Task<> {
    http::Response response = co_await client(http::get("http://s/slow"));
    std::string body = co_await response.body.text(1 * MiB);
  };
  Scope calls(world.sim.reactor());
  for (int i = 0; i < 6; ++i) calls.spawn(slow(world.client));
  CHECK(world.sim.run(calls.join()));
  CHECK(world.client.connections_made() == 2);
  CHECK(world.sim.elapsed() == 15s);
}
