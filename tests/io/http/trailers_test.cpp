// Fields behind a body, from one end of an exchange to the other.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>

using namespace escapement;

namespace {

// One piece of unknown length, and a field behind it.
class Trailed final : public http::BodySource {
 public:
  Trailed(std::string piece, std::string digest) : piece_(std::move(piece)), digest_(std::move(digest)) {}
  Task<std::string> read() override { co_return std::exchange(piece_, {}); }
  http::Headers trailers() override { return http::Headers{{"Digest", digest_}}; }

 private:
  std::string piece_;
  std::string digest_;
};

http::Body trailed(std::string piece, std::string digest) {
  return http::Body(std::make_unique<Trailed>(std::move(piece), std::move(digest)));
}

std::string digest(http::Body& body) { return std::string(body.trailers().get_or("digest", "none")); }

// Sends back what came, and of its trailers what they said.
Task<http::Response> echo(http::Request request) {
  std::string text = co_await request.body.text(1 * MiB);
  const std::string told = digest(request.body);
  co_return http::Response(200, trailed(text + ' ' + told, "of " + told));
}

Task<std::string> ask(const http::Client& client, http::Body body) {
  http::Response response =
      co_await client(http::Request("POST", *http::Url::parse("http://s/"), {}, std::move(body)));
  std::string text = co_await response.body.text(1 * MiB);
  co_return text + ' ' + digest(response.body);
}

}  // namespace

TEST_CASE("exchange: fields behind a body reach the handler, and those of the response its caller") {
  Sim sim(Seed{7});
  http::Server server(echo);
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  const http::Client client(sim.network());
  CHECK(*sim.run(ask(client, trailed("a", "1"))) == "a 1 of 1");
  CHECK(*sim.run(ask(client, trailed("b", "2"))) == "b 2 of 2");
  CHECK(*sim.run(ask(client, "c")) == "c none of none");
  CHECK(client.connections_made() == 1);
}
