// The contract that our client keeps over any Network, in a simulation, with latency and small packets. The
// same body runs over a Worker's sockets (tests/wasm_glue/bindings/sockets_test.mjs).

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/copy.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>

#include "support/client_contract.h"

using namespace escapement;

namespace {

Task<http::Response> answer(http::Request request) {
  const std::string path = request.url.path();
  if (path == "/hello") co_return http::Response(200, "hello");
  if (path == "/large") co_return http::Response(200, std::string(1 * MiB, 'l'));
  if (path != "/echo") co_return http::Response(404);
  std::string body = co_await request.body.text(1 * MiB);
  co_return http::Response(200, std::move(body));
}

Task<> echo(std::unique_ptr<Listener> listener) {
  std::unique_ptr<Stream> stream = co_await listener->accept();
  std::uint64_t count = co_await copy(*stream, *stream);
  (void)count;
  co_await stream->shutdown_write();
}

}  // namespace

TEST_CASE("Client: the contract over any Network, simulated") {
  SimNetworkOptions network;
  network.latency = 20ms;
  network.chunk_max = 5000;
  Sim sim(Seed{7}, network);
  http::Server server(answer);
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "server:80"));
  sim.settle();
  const Result<std::string> wrong = sim.run(test::client_contract(sim.network(), "http://server"));
  REQUIRE(wrong);
  CHECK(*wrong == "");
}

TEST_CASE("Stream: the contract of a connection over any Network, simulated") {
  Sim sim;
  Scope scope(sim.reactor());
  Result<std::unique_ptr<Listener>> listener = sim.network().listen("server:7");
  REQUIRE(listener);
  scope.spawn(echo(*std::move(listener)));
  const Result<std::string> wrong = sim.run(test::connection_contract(sim.network(), "server", 7, 9));
  REQUIRE(wrong);
  CHECK(*wrong == "");
}
