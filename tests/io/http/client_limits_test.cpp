// Every time limit of the client: that it is there by default, ends the call when it says, and names itself.

#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

// Accepts connections at "s:80" and answers each request's head with `answer`.
struct Peer {
  explicit Peer(std::string a, SimNetworkOptions network = SimNetworkOptions())
      : sim(Seed{3}, network), answer(std::move(a)), scope(sim.reactor(), [](Error) {}) {
    scope.spawn(listen());
    sim.settle();
  }

  Task<> listen() {
    std::unique_ptr<Listener> listener = co_await sim.network().listen("s:80");
    for (;;) {
      std::unique_ptr<Stream> stream = co_await listener->accept();
      scope.spawn(serve(std::move(stream)));
    }
  }

  Task<> serve(std::unique_ptr<Stream> stream) {
    std::string seen;
    std::vector<std::byte> room(4096);
    for (;;) {
      const std::size_t count = co_await stream->read(room);
      if (count == 0) co_return;
      seen += as_text(Bytes(room).first(count));
      if (seen.find("\r\n\r\n") == seen.npos) continue;
      co_await stream->write(as_bytes(answer));
      seen.clear();
      if (deaf) co_await sleep(Duration::max());
    }
  }

  Sim sim;
  std::string answer;
  bool deaf = false;  // after the first head
  Scope scope;
};

http::Request request(const char* method, http::Body body = {}, const char* url = "http://s/a") {
  return http::Request(method, *http::Url::parse(url), {}, std::move(body));
}

Task<std::string> whole(const http::Client& client, http::Request request) {
  http::Response response = co_await client(std::move(request));
  co_return co_await response.body.text(1 * MiB);
}

// Returns the error that ended the call; checks that it took as long as it says.
Error failure(Sim& sim, const http::Client& client, http::Request request) {
  const Duration before = sim.elapsed();
  Result<std::string> result = sim.run(whole(client, std::move(request)));
  REQUIRE(!result);
  const Duration took = sim.elapsed() - before;
  if (result.error() == Errc::timed_out) {
    CHECK(result.error().elapsed() >= result.error().limit_length());
    CHECK(result.error().elapsed() <= took);
  }
  return std::move(result).error();
}

void check(const Error& error, TimeLimit limit, Duration length, bool maybe_sent, const char* text) {
  CHECK(error == Errc::timed_out);
  CHECK(error.limit() == limit);
  CHECK(error.limit_length() == length);
  CHECK(error.maybe_sent() == maybe_sent);
  CHECK(to_string(error) == text);
}

}  // namespace

TEST_CASE("client: waiting for a free connection has a limit, and nothing was sent") {
  Peer peer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  const http::Client client(peer.sim.network());
  auto hold = [](const http::Client& client, std::vector<http::Response>& held) -> Task<> {
    http::Response response = co_await client(request("GET"));
    held.push_back(std::move(response));
  };
  std::vector<http::Response> held;
  for (int i = 0; i < 8; ++i) REQUIRE(peer.sim.run(hold(client, held)));
  const Error error = failure(peer.sim, client, request("GET"));
  check(error, TimeLimit::queue, 30s, false,
        "timed_out: waiting for a connection to http://s: none became free within 30s");
  CHECK(error.peer() == "http://s");

  // Nobody is left in the line: the next place goes to the next one who asks.
  held.pop_back();
  CHECK(peer.sim.run(hold(client, held)));
  CHECK(client.connections_made() == 9);
}

TEST_CASE("client: who waits in line gets the place of one that gave up") {
  Peer peer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
  http::ClientOptions options;
  options.connections_per_host_max = 1;
  options.queue_timeout = 10s;
  const http::Client client(peer.sim.network(), options);
  std::vector<std::string> outcomes;
  auto call = [&](Duration after, Duration holds) -> Task<> {
    co_await sleep(after);
    Result<http::Response> response = co_await client(request("GET")).result();
    outcomes.push_back(response ? "answered" : std::string(name(response.error().limit())));
    if (response) co_await sleep(holds);
  };
  Scope calls(peer.sim.reactor());
  calls.spawn(call(0s, 10s));
  calls.spawn(call(1ms, 5s));
  calls.spawn(call(0s, 1s));  // first in line; its limit falls due as the connection becomes free
  CHECK(peer.sim.run(calls.join()));
  CHECK(outcomes == std::vector<std::string>{"answered", "queue", "answered"});
  CHECK(peer.sim.elapsed() == 15s);
  CHECK(client.connections_made() == 1);
}

TEST_CASE("client: connecting has a limit, which covers the handshake") {
  Peer peer("");
  peer.sim.network().add_host("hole");
  SimFaults hole;
  hole.black_hole = true;
  peer.sim.network().set_faults("hole", hole);
  const http::Client plain(peer.sim.network());
  Error error = failure(peer.sim, plain, request("POST", "x", "http://hole/"));
  check(error, TimeLimit::connect, 10s, false, "timed_out: connect to hole:80: no connection within 10s");
  CHECK(error.peer() == "http://hole");

  http::ClientOptions options;
  options.connect_timeout = 4s;
  options.encrypt = [](std::unique_ptr<Stream> stream, std::string) -> Task<std::unique_ptr<Stream>> {
    co_await sleep(1h);
    co_return std::move(stream);
  };
  const http::Client client(peer.sim.network(), options);
  error = failure(peer.sim, client, request("POST", "x", "https://s:80/"));
  check(error, TimeLimit::handshake, 4s, false, "timed_out: TLS handshake with s: not finished within 4s");
  CHECK(error.peer() == "https://s:80");
  CHECK(peer.sim.elapsed() == 14s);

  SimNetworkOptions slow;
  slow.latency = 500ms;  // connecting takes a second of the four
  peer.sim.network().set_options(slow);
  error = failure(peer.sim, client, request("POST", "x", "https://s:80/"));
  check(error, TimeLimit::handshake, 4s, false, "timed_out: TLS handshake with s: not finished within 4s");
  CHECK(peer.sim.elapsed() == 18s);
}

TEST_CASE("client: the response's head has a limit, from when the request was sent") {
  for (const std::string answer : {"", "HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 103 Early Hints\r\n\r\n"}) {
    CAPTURE(answer);
    Peer peer(answer);
    const http::Client client(peer.sim.network());
    http::Request asked = request("GET");
    asked.attempt = 3;
    const Error error = failure(peer.sim, client, std::move(asked));
    check(error, TimeLimit::head, 30s, true,
          "timed_out: waiting for the response of s:80: no head within 30s (attempt 3)");
    CHECK(error.peer() == "http://s");
    CHECK(error.attempt() == 3);
    CHECK(client.idle_connections() == 0);
  }
}

TEST_CASE("client: an interim response begins the limit of the head anew") {
  struct Row {
    int interim;
    bool answers;
  };
  const Row row = GENERATE(Row{5, true}, Row{5, false}, Row{32, true});
  CAPTURE(row.interim, row.answers);
  Peer peer("");
  auto works = [](SimNetwork& network, Row row) -> Task<> {
    std::unique_ptr<Listener> listener = co_await network.listen("s:81");
    std::unique_ptr<Stream> stream = co_await listener->accept();
    for (int i = 0; i < row.interim; ++i) {
      co_await sleep(29s);
      co_await stream->write(as_bytes("HTTP/1.1 102 Processing\r\n\r\n"));
    }
    co_await sleep(29s);
    if (row.answers) co_await stream->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    co_await sleep(1h);
  };
  peer.scope.spawn(works(peer.sim.network(), row));
  peer.sim.settle();
  const http::Client client(peer.sim.network());
  if (row.answers) {
    CHECK(*peer.sim.run(whole(client, request("GET", {}, "http://s:81/"))) == "ok");
  } else {
    const Error error = failure(peer.sim, client, request("GET", {}, "http://s:81/"));
    check(error, TimeLimit::head, 30s, true,
          "timed_out: waiting for the response of s:81: no head within 30s");
    CHECK(peer.sim.elapsed() == Duration(29s) * row.interim + Duration(30s));
  }
}

TEST_CASE("client: a request's source that falls silent has a limit") {
  // After so many pieces, for an hour.
  class Silent final : public http::BodySource {
   public:
    explicit Silent(int pieces) : left_(pieces) {}
    Task<std::string> read() override {
      if (left_ < 0) co_return std::string();
      co_await sleep(left_-- > 0 ? Duration(299s) : Duration(1h));
      co_return std::string("piece");
    }

   private:
    int left_;
  };
  const int pieces = GENERATE(0, 1, 3);
  CAPTURE(pieces);
  Peer peer("");
  const http::Client client(peer.sim.network());
  const Error error =
      failure(peer.sim, client, request("POST", http::Body(std::make_unique<Silent>(pieces))));
  check(error, TimeLimit::write, 300s, true,
        "timed_out: sending to s:80: nothing of the request's body within 300s");
  CHECK(error.peer() == "http://s");
  CHECK(peer.sim.elapsed() == Duration(299s) * pieces + Duration(300s));
  CHECK(client.idle_connections() == 0);

  http::ClientOptions options;
  options.source_timeout = Duration::max();
  const http::Client patient(peer.sim.network(), options);
  const Error unanswered =
      failure(peer.sim, patient, request("POST", http::Body(std::make_unique<Silent>(pieces))));
  CHECK(unanswered.limit() == TimeLimit::head);
}

TEST_CASE("client: a body that stops has a limit, in each of its framings") {
  for (const std::string answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1 200 OK\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"}) {
    CAPTURE(answer);
    Peer peer(answer);
    const http::Client client(peer.sim.network());
    http::Request asked = request("GET");
    asked.attempt = 1;
    const Error error = failure(peer.sim, client, std::move(asked));
    check(error, TimeLimit::body, 30s, true, "timed_out: reading the body from s:80: nothing within 30s");
    CHECK(error.peer() == "http://s");
    CHECK(error.attempt() == 1);
    CHECK(peer.sim.elapsed() == 30s);
    CHECK(client.idle_connections() == 0);
  }
}

TEST_CASE("client: a body that failed stays failed, and others may have its connection's place") {
  const bool slow = GENERATE(false, true);
  CAPTURE(slow);
  Peer peer("");
  auto drips = [](SimNetwork& network) -> Task<> {
    std::unique_ptr<Listener> listener = co_await network.listen("s:81");
    std::unique_ptr<Stream> stream = co_await listener->accept();
    std::vector<std::byte> room(4096);
    std::size_t heard = co_await stream->read(room);
    CHECK(heard != 0);
    co_await stream->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
    for (int i = 0; i < 20; ++i) {
      co_await sleep(1s);
      co_await stream->write(as_bytes(std::string(1, static_cast<char>('a' + i))));
    }
    co_await sleep(1h);
  };
  peer.scope.spawn(drips(peer.sim.network()));
  peer.sim.settle();
  http::ClientOptions options;
  options.connections_per_host_max = 1;
  if (slow) {
    options.slow_body_bytes = 100;
    options.slow_body_time = 10s;
  }
  const http::Client client(peer.sim.network(), options);
  auto reads = [](const http::Client& client) -> Task<std::string> {
    http::Response response = co_await client(request("GET", {}, "http://s:81/"));
    std::string told;
    for (std::string last;;) {
      Result<std::string> piece = co_await response.body.read().result();
      if (piece) {
        told += *piece;
        continue;
      }
      if (to_string(piece.error()) == last) break;
      CHECK(last.empty());
      last = to_string(piece.error());
      told += ' ' + last;
      CHECK(client.open_connections() == 0);
      co_await sleep(5s);
    }
    co_return told;
  };
  const std::string told = *peer.sim.run(reads(client));
  CHECK(told == (slow ? "abcdefghi timed_out: less than slow_body_bytes within 10s"
                      : "abcdefghijklmnopqrst timed_out: reading the body from s:81: nothing within 30s"));
}

TEST_CASE("client: sending to a peer that does not read has a limit") {
  SimNetworkOptions network;
  network.buffer = 1000;
  Peer peer("", network);
  peer.deaf = true;
  const http::Client client(peer.sim.network());
  const Error error = failure(peer.sim, client, request("POST", std::string(100'000, 'x')));
  check(error, TimeLimit::write, 30s, true, "timed_out: sending to s:80: no progress within 30s");
  CHECK(error.peer() == "http://s");
}

TEST_CASE("client: a body may wait for as long as the request's is still going out") {
  // Its head comes at once, its body after the last byte of an upload that takes 100 s.
  SimNetworkOptions network;
  network.buffer = 1000;
  network.bandwidth = 1000;
  Peer peer("", network);
  auto digest = [](SimNetwork& network) -> Task<> {
    std::unique_ptr<Listener> listener = co_await network.listen("s:81");
    std::unique_ptr<Stream> stream = co_await listener->accept();
    std::vector<std::byte> room(4096);
    bool answered = false;
    for (std::string seen; !seen.ends_with('e');) {
      const std::size_t count = co_await stream->read(room);
      seen = as_text(Bytes(room).first(count));
      if (std::exchange(answered, true)) continue;
      co_await stream->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"));
    }
    co_await stream->write(as_bytes("done"));
    co_await sleep(1h);
  };
  peer.scope.spawn(digest(peer.sim.network()));
  peer.sim.settle();
  const http::Client client(peer.sim.network());
  const std::string body = std::string(100'000, 'x') + 'e';
  CHECK(*peer.sim.run(whole(client, request("POST", body, "http://s:81/"))) == "done");
  CHECK(peer.sim.elapsed() >= 100s);
}

TEST_CASE("client: a body may wait for a request whose own pieces come slowly") {
  // A piece every 20 s, each of which the network takes at once. The response's body is its last piece.
  class Slow final : public http::BodySource {
   public:
    Task<std::string> read() override {
      if (sent_ == 5) co_return std::string();
      co_await sleep(20s);
      co_return ++sent_ == 5 ? "e" : "x";
    }
    std::optional<std::uint64_t> length() const override { return 5; }

   private:
    int sent_ = 0;
  };
  Peer peer("");
  auto echo = [](SimNetwork& network) -> Task<> {
    std::unique_ptr<Listener> listener = co_await network.listen("s:81");
    std::unique_ptr<Stream> stream = co_await listener->accept();
    std::vector<std::byte> room(4096);
    bool answered = false;
    for (std::string seen; !seen.ends_with("xxxxe");) {
      const std::size_t count = co_await stream->read(room);
      seen += as_text(Bytes(room).first(count));
      if (std::exchange(answered, true)) continue;
      co_await stream->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"));
    }
    co_await stream->write(as_bytes("done"));
    co_await sleep(1h);
  };
  peer.scope.spawn(echo(peer.sim.network()));
  peer.sim.settle();
  const http::Client client(peer.sim.network());
  http::Body body(std::make_unique<Slow>());
  CHECK(*peer.sim.run(whole(client, request("PUT", std::move(body), "http://s:81/"))) == "done");
  CHECK(peer.sim.elapsed() == 100s);
}

TEST_CASE("client: a handshake that fails has sent nothing of the request, whatever it says itself") {
  Peer peer("");
  http::ClientOptions options;
  options.encrypt = [](std::unique_ptr<Stream>, std::string) -> Task<std::unique_ptr<Stream>> {
    co_return Error(Errc::untrusted, "on purpose");
  };
  const http::Client client(peer.sim.network(), options);
  const Error failed = failure(peer.sim, client, request("POST", "x", "https://s:80/"));
  CHECK(failed == Errc::untrusted);
  CHECK(!failed.maybe_sent());
}

TEST_CASE("client: a route that refuses a request has sent nothing of it") {
  class Refuses final : public http::ClientRoute {
   public:
    Task<std::unique_ptr<Stream>> connect(Network&, const http::ClientOptions&, http::Url,
                                          Duration) const override {
      co_return Error(Errc::unavailable, "on purpose");
    }
    Result<> prepare(http::Request&, http::RequestOptions&) const override {
      return Error(Errc::permission_denied, "on purpose");
    }
  };
  Peer peer("");
  http::ClientOptions options;
  options.route = std::make_shared<Refuses>();
  const Error failed = failure(peer.sim, http::Client(peer.sim.network(), options), request("POST", "x"));
  CHECK(failed == Errc::permission_denied);
  CHECK(!failed.maybe_sent());
}

TEST_CASE("client: failures that are no limit say whom they were about, too") {
  Peer peer("SSH-2.0\r\n\r\n");
  const http::Client client(peer.sim.network());
  http::Request asked = request("GET");
  asked.attempt = 2;
  const Error wrong = failure(peer.sim, client, std::move(asked));
  CHECK(wrong == Errc::bad_message);
  CHECK(wrong.limit() == TimeLimit::none);
  CHECK(wrong.peer() == "http://s");
  CHECK(wrong.attempt() == 2);
  const Error refused = failure(peer.sim, client, request("GET", {}, "http://s:81/"));
  CHECK(refused == Errc::unavailable);
  CHECK(refused.peer() == "http://s:81");
}
