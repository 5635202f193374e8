// The client's connections: which are kept, for how long and how many, and when a request may be sent again.

#include <cerrno>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/core/task_local.h>
#include <escapement/io/http/client.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
// The same as a stream: a response holds its connection until its body was read.
const std::string streamed_ok = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

// Waits until `ends_with` has come, then sends `answer`.
struct Line {
  Line(std::string e, std::string a) : ends_with(std::move(e)), answer(std::move(a)) {}
  std::string ends_with;
  std::string answer;
};
using Script = std::vector<Line>;  // of one connection, which is then closed

// Plays one script for each connection to "s:80", the last one again for what comes after, and keeps what
// each connection received.
struct Player {
  explicit Player(std::vector<Script> s, SimNetworkOptions network = SimNetworkOptions())
      : sim(Seed{3}, network),
        scripts(std::move(s)),
        scope(sim.reactor(), [](Error) {}),
        client(sim.network()) {
    scope.spawn(listen());
    sim.settle();
  }

  Task<> listen() {
    std::unique_ptr<Listener> listener = co_await sim.network().listen(":80");
    sim.network().add_host("s");
    for (;;) {
      std::unique_ptr<Stream> stream = co_await listener->accept();
      received.emplace_back();
      scope.spawn(play(std::move(stream), received.size() - 1));
    }
  }

  Task<> play(std::unique_ptr<Stream> stream, std::size_t number) {
    const Script script = scripts[std::min(number, scripts.size() - 1)];
    std::vector<std::byte> room(4096);
    for (const Line& line : script) {
      std::string seen;
      while (!seen.ends_with(line.ends_with)) {
        const std::size_t count = co_await stream->read(room);
        if (count == 0) co_return;
        seen += as_text(Bytes(room).first(count));
        received[number] += as_text(Bytes(room).first(count));
      }
      co_await stream->write(as_bytes(line.answer));
    }
  }

  // "200 ok", or the error.
  std::string ask(const char* method, http::Headers headers = {}, http::Body body = {},
                  std::string host = "s") {
    auto call = [](const http::Client& client, http::Request request) -> Task<std::string> {
      http::Response response = co_await client(std::move(request));
      std::string text = co_await response.body.text(1 * MiB);
      co_return std::to_string(response.status) + ' ' + text;
    };
    http::Request request(method, *http::Url::parse("http://" + host + "/"), std::move(headers),
                          std::move(body));
    Result<std::string> result = sim.run(call(client, std::move(request)));
    if (!result) maybe_sent = result.error().maybe_sent();
    return result ? *result : std::string(name(result.error().code()));
  }

  Sim sim;
  std::vector<Script> scripts;
  std::vector<std::string> received;
  bool maybe_sent = false;
  Scope scope;
  http::Client client;
};

// Answers any number of requests without a body.
const Script answers_all(100, Line("\r\n\r\n", ok));

std::string head_end(const std::string& text) { return text.substr(text.find("\r\n\r\n") + 4); }

}  // namespace

TEST_CASE("client: what is sent again on a fresh connection, when the kept one says nothing") {
  // The second request on the first connection is read, and the connection closed.
  const std::vector<Script> scripts{{Line("\r\n\r\n", ok), Line("\r\n\r\n", "")}, answers_all};
  struct Row {
    const char* method;
    http::Headers headers;
    bool again;
  };
  const Row rows[] = {
      {"GET", {}, true},
      {"HEAD", {}, true},
      {"DELETE", {}, true},
      {"PUT", {}, true},
      {"POST", {}, false},
      {"PATCH", {}, false},
      {"POST", {{"Idempotency-Key", "7"}}, true},
      {"PATCH", {{"x-idempotency-key", "7"}}, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.method);
    Player player(scripts);
    CHECK(player.ask("GET") == "200 ok");
    const std::string answer = player.ask(row.method, row.headers);
    if (row.again) {
      CHECK(answer == (std::string(row.method) == "HEAD" ? "200 " : "200 ok"));
      CHECK(player.received.size() == 2);
      CHECK(player.received[1].starts_with(row.method));
    } else {
      CHECK(answer == "reset");
      CHECK(player.maybe_sent);
      CHECK(player.received.size() == 1);
    }
  }
}

TEST_CASE("client: a body goes out whole when it is sent again") {
  for (const std::size_t size : {1, 60'000, 300'000}) {
    const std::string body = std::string(size - 1, 'b') + 'e';
    const std::vector<Script> scripts{{Line("\r\n\r\n", ok), Line("e", "")}, {Line("e", ok)}};
    Player player(scripts);
    CHECK(player.ask("GET") == "200 ok");
    CHECK(player.ask("PUT", {{"X", "1"}}, body) == "200 ok");
    REQUIRE(player.received.size() == 2);
    CHECK((head_end(player.received[1]) == body));
  }
  // One that streams cannot be sent again.
  class Once final : public http::BodySource {
   public:
    Task<std::string> read() override { co_return std::exchange(text_, {}); }

   private:
    std::string text_ = "once";
  };
  Player player({{Line("\r\n\r\n", ok), Line("0\r\n\r\n", "")}, answers_all});
  CHECK(player.ask("GET") == "200 ok");
  CHECK(player.ask("PUT", {}, http::Body(std::make_unique<Once>())) == "reset");
  CHECK(player.received.size() == 1);
}

TEST_CASE("client: only silence is a sign that the connection was dead; half an answer is none") {
  for (const char* half :
       {"H", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"}) {
    CAPTURE(half);
    Player player({{Line("\r\n\r\n", ok), Line("\r\n\r\n", half)}, answers_all});
    CHECK(player.ask("GET") == "200 ok");
    CHECK(player.ask("DELETE") == "reset");
    CHECK(player.maybe_sent);
    CHECK(player.received.size() == 1);
  }
}

TEST_CASE("client: a fresh connection that says nothing is not replaced, and a dead one only once") {
  Player dead({{Line("\r\n\r\n", ok), Line("\r\n\r\n", "")}, {Line("\r\n\r\n", "")}});
  CHECK(dead.ask("GET") == "200 ok");
  CHECK(dead.ask("GET") == "reset");
  CHECK(dead.received.size() == 2);
  CHECK(dead.ask("GET") == "reset");
  CHECK(dead.received.size() == 3);
}

TEST_CASE("client: a dead connection is replaced by a fresh one, not by the next that may be dead") {
  const Script dies{Line("\r\n\r\n", ok), Line("\r\n\r\n", "")};
  Player player({dies, dies, answers_all});
  auto hold = [](const http::Client& client) -> Task<> {
    http::Response response = co_await client(http::get("http://s/"));
    co_await sleep(1s);
  };
  {
    Scope calls(player.sim.reactor());
    calls.spawn(hold(player.client));
    calls.spawn(hold(player.client));
    REQUIRE(player.sim.run(calls.join()));
  }
  CHECK(player.client.idle_connections() == 2);
  CHECK(player.ask("GET") == "200 ok");
  CHECK(player.received.size() == 3);
  CHECK(player.client.idle_connections() == 2);  // the other one was not asked
}

TEST_CASE("client: one that was closed meanwhile is not used, so that a POST need not fail") {
  Player player({{Line("\r\n\r\n", ok)}, answers_all});
  CHECK(player.ask("GET") == "200 ok");
  player.sim.advance(1s);  // it closes
  CHECK(player.ask("POST") == "200 ok");
  CHECK(player.received.size() == 2);
}

TEST_CASE("client: a connection on which more came than was asked for is not kept") {
  for (const std::string& answer : {ok + "x", ok + ok, "HTTP/1.1 204 No Content\r\n\r\n" + ok}) {
    CAPTURE(answer);
    Player player({{Line("\r\n\r\n", answer), Line("never", "")}});
    CHECK(player.ask("GET").starts_with("20"));
    CHECK(player.client.idle_connections() == 0);
    CHECK(player.client.origins() == 0);
  }
}

TEST_CASE("client: of several kept connections the one used last is used next") {
  Player player({Script(100, Line("\r\n\r\n", streamed_ok))});
  auto hold = [](const http::Client& client, Duration length) -> Task<> {
    http::Response response = co_await client(http::get("http://s/"));
    co_await sleep(length);
  };
  {
    Scope calls(player.sim.reactor());
    calls.spawn(hold(player.client, 2s));
    calls.spawn(hold(player.client, 3s));
    calls.spawn(hold(player.client, 1s));
    REQUIRE(player.sim.run(calls.join()));
  }
  const std::size_t one = player.received[0].size();
  for (int i = 2; i < 5; ++i) CHECK(player.ask("GET") == "200 ok");
  CHECK(player.received[0].size() == one);
  CHECK(player.received[1].size() == 4 * one);
  CHECK(player.received[2].size() == one);
}

TEST_CASE("client: a connection that the server says it closes is not kept, though it is still open") {
  for (const char* last : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
                           "HTTP/1.1 204 No Content\r\nConnection: Close\r\n\r\n",
                           "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"}) {
    CAPTURE(last);
    Player player({Script(10, Line("\r\n\r\n", last))});
    CHECK(player.ask("GET").starts_with("20"));
    CHECK(player.client.idle_connections() == 0);
    CHECK(player.ask("GET").starts_with("20"));
    CHECK(player.client.connections_made() == 2);
  }
}

TEST_CASE("client: a refusal that comes early ends the sending") {
  for (const char* status :
       {"413 Content Too Large", "401 Unauthorized", "302 Found", "500 Internal Server Error"}) {
    SimNetworkOptions network;
    network.buffer = 1000;
    network.latency = 1ms;
    const std::string refusal =
        std::string("HTTP/1.1 ") + status + "\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nno";
    // It reads on after its answer, to the end.
    Player player({{Line("\r\n\r\nx", refusal), Line("never", "")}}, network);
    player.scripts[0][0].ends_with = "x";
    CHECK(player.ask("POST", {}, std::string(1'000'000, 'x')) == std::string(status, 3) + " no");
    player.sim.advance(1h);
    CHECK(player.received[0].size() < 10'000);
    CHECK(player.client.idle_connections() == 0);  // the server waits for the rest there
  }
}

TEST_CASE("client: a refusal ends the sending also while its own body is still coming") {
  SimNetworkOptions network;
  network.buffer = 1000;
  network.latency = 1ms;
  const std::string begin = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nno";
  Player player({{Line("x", begin), Line("never", "")}}, network);
  CHECK(player.ask("POST", {}, std::string(1'000'000, 'x')) == "timed_out");  // for want of the other half
  CHECK(player.received[0].size() < 10'000);
}

TEST_CASE("client: an answer that is no refusal lets the sending go on") {
  SimNetworkOptions network;
  network.buffer = 1000;
  Player player({{Line("x", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), Line("e", "ok")}}, network);
  CHECK(player.ask("POST", {}, std::string(100'000, 'x') + 'e') == "200 ok");
  CHECK(player.received[0].ends_with("xe"));
}

TEST_CASE("client: a Keep-Alive field is read by its exact names, in any case, with white space") {
  const std::pair<const char*, Duration> rows[] = {
      {"", 60s},
      {"timeout=5", 3s},
      {"Timeout=5", 3s},
      {"TIMEOUT=5, max=100", 3s},
      {"timeout = 5", 3s},
      {"max=100 ,\ttimeout\t=\t5 ", 3s},
      {"timeout=\"5\"", 3s},
      {"timeout=5;max=9", 3s},
      {"xtimeout=1", 60s},
      {"xtimeout=1, timeout=10", 8s},
      {"timeoutx=1", 60s},
      {"max=timeout=1", 60s},
      {"timeout", 60s},
      {"timeout=", 60s},
      {"timeout=-5", 60s},
      {"timeout=5x", 60s},
      {"timeout=5.5", 60s},
      {"timeout=2", 0s},
      {"timeout=0", 0s},
      {"timeout=1000", 60s},
      {"timeout=99999999999999999999", 60s},
  };
  for (const auto& [field, kept] : rows) {
    CAPTURE(field);
    const std::string answer =
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: ") + field + "\r\n\r\nok";
    Player player({{Line("\r\n\r\n", answer), Line("\r\n\r\n", answer)}});
    CHECK(player.ask("GET") == "200 ok");
    CHECK(player.client.idle_connections() == (kept > Duration() ? 1 : 0));
    if (kept == Duration()) continue;
    player.sim.advance(kept - 1ms);
    CHECK(player.client.idle_connections() == 1);
    player.sim.advance(1ms);
    CHECK(player.client.idle_connections() == 0);
  }
  Player lines({{Line("\r\n\r\n",
                      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: max=3\r\n"
                      "Keep-Alive: timeout=4\r\n\r\nok"),
                 Line("\r\n\r\n", ok)}});
  CHECK(lines.ask("GET") == "200 ok");
  lines.sim.advance(2s);
  CHECK(lines.client.idle_connections() == 0);
}

TEST_CASE("client: unused connections have a limit in all; the one unused longest goes") {
  CHECK(http::ClientOptions().idle_connections_max == 100);
  Player player({answers_all});
  http::ClientOptions three;
  three.idle_connections_max = 3;
  player.client = http::Client(player.sim.network(), three);
  for (const char* host : {"a", "b", "c", "d", "e"}) player.sim.network().add_host(host);
  for (const char* host : {"a", "b", "c", "a", "d"}) CHECK(player.ask("GET", {}, {}, host) == "200 ok");
  CHECK(player.client.idle_connections() == 3);
  CHECK(player.client.connections_made() == 4);
  CHECK(player.client.origins() == 3);  // b was unused longest
  for (const char* host : {"a", "c", "d"}) CHECK(player.ask("GET", {}, {}, host) == "200 ok");
  CHECK(player.client.connections_made() == 4);
  CHECK(player.ask("GET", {}, {}, "b") == "200 ok");
  CHECK(player.client.connections_made() == 5);

  http::ClientOptions none;
  none.idle_connections_max = 0;
  player.client = http::Client(player.sim.network(), none);
  CHECK(player.ask("GET") == "200 ok");
  CHECK(player.client.idle_connections() == 0);
}

TEST_CASE("client: interim responses are counted for each request, however the one before ended") {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
  Player player({{Line("\r\n\r\n", hints + "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")}});
  for (int i = 0; i < 40; ++i) REQUIRE(player.ask("GET") == "200 ok");
  Player silent({{Line("\r\n\r\n", hints)}});
  for (int i = 0; i < 40; ++i) REQUIRE(silent.ask("GET") == "reset");
  Player kept({Script(100, Line("\r\n\r\n", hints + "HTTP/1.1 204 No Content\r\n\r\n"))});
  for (int i = 0; i < 40; ++i) REQUIRE(kept.ask("GET") == "204 ");
  std::string many;
  for (int i = 0; i < 33; ++i) many += hints;
  Player talkative({{Line("\r\n\r\n", many)}});
  CHECK(talkative.ask("GET") == "limit_exceeded");
}

TEST_CASE("client: what connects sees the task-local values of the request that it was begun for") {
  static const TaskLocal<int> number;
  Player player({{Line("\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")}});
  std::vector<int> seen;
  http::ClientOptions options;
  options.connections_per_host_max = 1;
  options.encrypt = [&seen](std::unique_ptr<Stream> stream, std::string) -> Task<std::unique_ptr<Stream>> {
    for (int i = 0; i < 2; ++i) {
      const int* const found = co_await local(number);
      seen.push_back(found == nullptr ? 0 : *found);
      co_await sleep(1ms);
    }
    co_return std::move(stream);
  };
  const http::Client client(player.sim.network(), options);
  auto call = [&client]() -> Task<> {
    http::Response response = co_await client(http::Request("GET", *http::Url::parse("https://s:80/")));
    co_await response.body.text(1 * MiB);
  };
  // The second one is begun by the end of the first one's connection.
  auto both = [&]() -> Task<> {
    Scope scope(player.sim.reactor());
    for (const int i : {1, 2}) scope.spawn(with_local(number, i, call()));
    co_await scope.join();
  };
  REQUIRE(player.sim.run(both()));
  const std::vector<int> first{1, 1, 2, 2};
  const std::vector<int> second{2, 2, 1, 1};  // the first with_local of a reactor waits a turn
  CHECK((seen == first || seen == second));
}

TEST_CASE("client: an origin is forgotten when nothing is left of it") {
  Player player({answers_all});
  for (int i = 0; i < 50; ++i) {
    const std::string host = "h" + std::to_string(i);
    player.sim.network().add_host(host);
    CHECK(player.ask("GET", {}, {}, host) == "200 ok");
    CHECK(player.ask("GET", {}, {}, "unknown" + std::to_string(i)) == "not_found");
    CHECK(player.ask("GET", {}, {}, host + ":81") == "unavailable");
  }
  CHECK(player.client.origins() == 50);
  CHECK(player.client.idle_connections() == 50);
  player.sim.advance(60s);
  CHECK(player.client.idle_connections() == 0);
  CHECK(player.client.origins() == 0);

  // Not while a response is held, nor while somebody waits in line.
  auto hold = [](const http::Client& client, Duration length) -> Task<> {
    http::Response response = co_await client(http::get("http://s/"));
    co_await sleep(length);
  };
  http::ClientOptions one;
  one.connections_per_host_max = 1;
  player.client = http::Client(player.sim.network(), one);
  {
    Scope calls(player.sim.reactor(), [](Error) {});
    calls.spawn(hold(player.client, 10s));
    calls.spawn(hold(player.client, 10s));
    player.sim.advance(15s);
    CHECK(player.client.origins() == 1);
  }
  player.sim.advance(60s);
  CHECK(player.client.origins() == 0);
}

namespace {

// A network whose next attempts to connect find no descriptor.
class Scarce final : public Network {
 public:
  explicit Scarce(Network& network) : network_(network) {}
  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override {
    if (failures > 0) {
      --failures;
      co_return Error::from_errno(EMFILE, "connect to " + host).nothing_sent();
    }
    co_return co_await network_.connect(std::move(host), port);
  }
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override {
    return network_.listen(address);
  }

  int failures = 0;

 private:
  Network& network_;
};

}  // namespace

TEST_CASE("client: without descriptors the connections unused longest are closed, as many as it takes") {
  Player player({answers_all});
  Scarce scarce(player.sim.network());
  player.client = http::Client(scarce);
  for (const char* host : {"a", "b", "c", "d"}) {
    player.sim.network().add_host(host);
    CHECK(player.ask("GET", {}, {}, host) == "200 ok");
  }
  scarce.failures = 2;
  CHECK(player.ask("GET") == "200 ok");
  CHECK(player.client.idle_connections() == 3);
  CHECK(player.client.connections_made() == 5);
  CHECK(player.ask("GET", {}, {}, "c") == "200 ok");
  CHECK(player.client.connections_made() == 5);  // a and b are gone

  scarce.failures = 10;
  CHECK(player.ask("GET", {}, {}, "a") == "overloaded");
  CHECK_FALSE(player.maybe_sent);
  CHECK(player.client.idle_connections() == 0);
}
