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
