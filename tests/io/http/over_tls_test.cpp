// HTTP over TLS: the client, the server, the pool and the retries, in a simulated network.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/timers/sleep.h>

#include "support/read_and_write.h"
#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;
using Catch::Matchers::ContainsSubstring;

namespace {

http::ClientOptions over(TlsClient tls) {
  http::ClientOptions options;
  options.encrypt = std::move(tls);
  return options;
}

TlsClient client_of(TlsVersion version) {
  TlsClientOptions options = trusting_ca();
  options.newest = version;
  return make_client(std::move(options));
}

Task<http::Response> url_and_body(http::Request request) {
  if (request.url.path() == "/slow") co_await sleep(5s);
  std::string body = co_await request.body.text(16 * MiB);
  co_return http::Response(200, request.url.text() + ' ' + body);
}

Task<std::string> text_of(http::Service service, http::Request request) {
  http::Response response = co_await service(std::move(request));
  co_return co_await response.body.text(16 * MiB);
}

http::Request post(std::string_view url, std::string body) {
  Result<http::Url> parsed = http::Url::parse(url);
  REQUIRE(parsed);
  return http::Request(http::Method::post(), *std::move(parsed), http::Headers(), std::move(body));
}

// A server with the certificate of a.test at "a.test:443", in a world with a little latency.
struct World {
  explicit World(TlsVersion version = TlsVersion::tls13,
                 SimNetworkOptions network = {.latency = 3ms, .chunk_max = 900})
      : sim(Seed{5}, network),
        tls(make_server(serving("a"))),
        server(url_and_body),
        scope(sim.reactor(), [](Error) {}),
        client(sim.network(), over(client_of(version))) {
    sim.network().add_host("b.test");
    scope.spawn(server.serve(tls.wrap(*sim.network().listen(":443"))));
    sim.network().add_host("a.test");
    sim.settle();
  }

  std::string ask(http::Service service, http::Request request) {
    Result<std::string> text = sim.run(text_of(std::move(service), std::move(request)));
    return text ? *text : to_string(text.error());
  }

  Sim sim;
  TlsServer tls;
  http::Server server;
  Scope scope;
  http::Client client;
};

}  // namespace

TEST_CASE("https: requests and answers, over one kept connection") {
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    World world(version);
    const std::string large = sample(300'000);
    CHECK(world.ask(world.client, http::get("https://a.test/one?x=1")) == "https://a.test/one?x=1 ");
    CHECK(world.ask(world.client, http::get("https://a.test/two")) == "https://a.test/two ");
    CHECK((world.ask(world.client, post("https://a.test/", large)) == "https://a.test/ " + large));
    CHECK(world.client.connections_made() == 1);
    CHECK(world.tls.statistics().handshakes == 1);
    // Unused for longer than it is kept: a new connection, which resumes.
    world.sim.advance(5min);
    CHECK(world.ask(world.client, http::get("https://a.test/three")) == "https://a.test/three ");
    CHECK(world.client.connections_made() == 2);
    CHECK(world.tls.statistics().resumed == 1);
  }
}

TEST_CASE("https: what a transport takes only in parts is sent once") {
  World world(TlsVersion::tls13, {.latency = 1ms, .buffer = 3000, .chunk_max = 700});
  for (const std::size_t size : {1000, 3000, 20'000, 300'000}) {
    const std::string body = sample(size);
    CHECK((world.ask(world.client, post("https://a.test/", body)) == "https://a.test/ " + body));
  }
  CHECK(world.client.connections_made() == 1);
}

TEST_CASE("https: a client that goes away takes its handler with it") {
  World world;
  {
    Scope calls(world.sim.reactor(), [](Error) {});
    auto call = [](http::Service client) -> Task<> {
      (void)co_await client(http::get("https://a.test/slow"));
    };
    calls.spawn(call(world.client));
    world.sim.advance(1s);
    CHECK(world.server.statistics().requests == 1);
    CHECK(world.server.statistics().open == 1);
  }
  world.sim.advance(100ms);
  CHECK(world.server.statistics().abandoned == 1);
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("https: a certificate that is not to be believed is never tried twice, and nothing is sent") {
  World world;
  int attempts = 0;
  http::Retry retry;
  retry.attempts = 5;
  retry.observer = [&](const http::RetryNotice&) { ++attempts; };
  const http::Service service = http::layered(retry, world.client);
  CHECK(world.ask(service, http::get("https://b.test/")) ==
        "untrusted: the certificate of b.test is for other names: a.test, localhost, 127.0.0.1, ::1");
  CHECK(attempts == 0);
  CHECK(world.server.statistics().requests == 0);
}

TEST_CASE("https: a server without TLS, and a client without") {
  World world;
  world.scope.spawn(world.server.serve(*world.sim.network().listen(":80")));
  CHECK(world.ask(world.client, http::get("https://a.test:80/")) == "bad_message: a.test does not speak TLS");
  const http::Client plain(world.sim.network());
  CHECK_THAT(world.ask(plain, http::get("https://a.test/")), ContainsSubstring("unsupported: "));
  CHECK_THAT(world.ask(plain, http::get("http://a.test:443/")), ContainsSubstring("reset: "));
}

TEST_CASE("https: a silent server is given up after the time to connect") {
  World world;
  world.sim.network().set_faults("a.test", {.black_hole = true});
  http::ClientOptions options = over(client_of(TlsVersion::tls13));
  options.connect_timeout = 4s;
  const http::Client client(world.sim.network(), options);
  const Duration before = world.sim.elapsed();
  CHECK(world.ask(client, http::get("https://a.test/")) ==
        "timed_out: connect to a.test:443: no connection within 4s");
  CHECK(world.sim.elapsed() - before == 4s);
}

namespace {

// A server that responds with a body that only the end of the connection ends.
Task<> answer_until_close(TlsServer tls, Listener& listener, bool cut) {
  std::unique_ptr<Stream> plain = co_await listener.accept();
  std::unique_ptr<TlsStream> stream = co_await tls.accept(std::move(plain));
  std::string request(4096, '\0');
  const std::size_t count = co_await stream->read(as_room(request));
  CHECK(count != 0);
  co_await stream->write(as_bytes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall there is"));
  if (!cut) co_await stream->shutdown_write();
  co_await sleep(1s);
  if (cut) stream->reset_on_close();
}

}  // namespace

TEST_CASE("https: a body that the connection ends is complete only by a close_notify") {
  for (const bool cut : {false, true}) {
    World world;
    Result<std::unique_ptr<Listener>> listener = world.sim.network().listen("a.test:8443");
    REQUIRE(listener);
    world.scope.spawn(answer_until_close(world.tls, **listener, cut));
    const std::string text = world.ask(world.client, http::get("https://a.test:8443/"));
    if (!cut) CHECK(text == "all there is");
    if (cut) CHECK_THAT(text, ContainsSubstring("reset: "));
  }
}

TEST_CASE("https: a shutdown does not wait for connections that have not said hello") {
  World world;
  auto connect = [](SimNetwork& network) -> Task<std::unique_ptr<Stream>> {
    co_return co_await network.connect("a.test", 443);
  };
  Result<std::unique_ptr<Stream>> silent = world.sim.run(connect(world.sim.network()));
  REQUIRE(silent);
  world.sim.advance(1s);
  CHECK(world.server.statistics().open == 1);
  world.server.shutdown(10s);
  world.sim.advance(1s);
  CHECK(world.server.statistics().open == 0);
  CHECK(world.server.shutdown_report().idle_closed == 1);
}
