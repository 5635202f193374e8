// Limits that expire, and clients that go, while a handler works or is just done. In simulated time.

#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "support/alive.h"
#include "support/raw_http.h"

using namespace escapement;
using test::Alive;

TEST_CASE("limits: one that expires in the turn in which the handler is done counts all the same") {
  // Its body's, while a pump reads that which the response is made of; or its own, and then that of sending.
  const bool pumps = GENERATE(true, false);
  CAPTURE(pumps);
  class Pump final : public http::BodySource {
   public:
    Pump(Reactor& reactor, http::Body body) : body_(std::move(body)), scope_(reactor, [](Error) {}) {
      scope_.spawn(fill(*this));
    }
    Task<std::string> read() override {
      while (bytes_.empty() && !ended_) co_await changed_.wait();
      co_return std::exchange(bytes_, {});
    }

   private:
    static Task<> fill(Pump& pump) {
      for (;;) {
        std::string piece = co_await pump.body_.read();
        pump.ended_ = piece.empty();
        pump.bytes_ += piece;
        pump.changed_.pulse();
        if (pump.ended_) co_return;
      }
    }

    http::Body body_;
    std::string bytes_;
    bool ended_ = false;
    Event changed_;
    Scope scope_;
  };
  Sim sim(Seed{3}, SimNetworkOptions{.buffer = 1000});
  http::ServerOptions options;
  options.body_idle = options.handler_timeout = 5s;
  options.write_stall = 7s;
  auto handle = [](http::Request request) -> Task<http::Response> {
    if (request.url.path() == "/big") {
      co_await sleep(5s);
      co_return http::Response(200, std::string(100'000, 'b'));
    }
    std::unique_ptr<Pump> pump;
    auto begin = [](std::unique_ptr<Pump>& pump, http::Body body) -> Task<> {
      Reactor& reactor = co_await this_reactor;
      pump = std::make_unique<Pump>(reactor, std::move(body));
    };
    co_await all(sleep(5s), begin(pump, std::move(request.body)));  // the sleep ends first
    co_return http::Response(200, http::Body(std::move(pump)));
  };
  http::Server server(handle, options);
  std::string failures;
  server.on_failure = [&failures](const Error& error) { failures += to_string(error) + "; "; };
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  const std::string request = pumps ? "POST /pump HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\nabc"
                                    : "GET /big HTTP/1.1\r\nHost: s\r\n\r\n";
  REQUIRE(sim.run(stream->write(as_bytes(request))));
  sim.advance(pumps ? 6s : 11s);
  CHECK(server.statistics().open == (pumps ? 0 : 1));
  sim.advance(2s);
  CHECK(server.statistics().open == 0);
  CHECK(failures == (pumps ? "timed_out: reading the body: nothing within 5s; "
                           : "timed_out: sending: nothing within 7s; "));
}

TEST_CASE(
    "server: a client that goes while the handler reads the body fails that read, and then the handler") {
  enum class Goes { resets, closes, ends_its_half };
  const Goes how = GENERATE(Goes::resets, Goes::closes, Goes::ends_its_half);
  const bool half_close = GENERATE(false, true);
  const bool waits = GENERATE(false, true);  // goes on after the failure, and waits for something
  CAPTURE(how, half_close, waits);
  std::string read;
  int handlers = 0;
  auto handle = [&](http::Request request) -> Task<http::Response> {
    Alive alive(handlers);
    Result<std::string> body = co_await request.body.text(1 * MiB).result();
    if (!body) read = name(body.error().code());
    if (waits) co_await sleep(1s);
    if (!waits) co_await std::move(body);
    co_return http::Response(200, "all the same");
  };
  Sim sim(Seed{3});
  http::ServerOptions options;
  options.half_close = half_close;
  http::Server server(handle, options);
  std::string failures;
  server.on_failure = [&failures](const Error& error) { failures += to_string(error) + "; "; };
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  REQUIRE(sim.run(stream->write(as_bytes("POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\nabc"))));
  sim.advance(1s);
  REQUIRE(handlers == 1);
  std::string got;
  if (how == Goes::ends_its_half) {
    REQUIRE(sim.run(stream->shutdown_write()));
    got = test::read_for(sim, *stream, 2s);
  } else {
    if (how == Goes::resets) stream->reset_on_close();
    stream.reset();
    sim.advance(2s);
  }
  sim.advance(10s);
  CHECK(read == (how == Goes::resets ? "reset" : "bad_message"));
  const bool gone = how == Goes::resets || !half_close;  // for a handler that waits
  CHECK(server.statistics().abandoned == (waits && gone ? 1 : 0));
  CHECK(failures.ends_with("disconnected before its response; ") == (waits && gone));
  CHECK(server.statistics().failed_handlers == 0);
  CHECK(server.statistics().refused == (!waits && how != Goes::resets ? 1 : 0));
  CHECK(server.statistics().open == 0);
  if (how == Goes::ends_its_half) {
    CHECK(test::statuses(got) == (!waits ? "400 " : half_close ? "200 " : ""));
    CHECK(got.ends_with(waits && gone ? " reset" : " end"));
  }
  CHECK(handlers == 0);
}
