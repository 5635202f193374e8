// Connections that are kept when a response is not wanted: a real client and server on a simulated network.

#include <escapement/middleware/client/detail/drain.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

// A body of so many bytes, which come at once or, if it is late, a second later.
class Content final : public http::BodySource {
 public:
  Content(std::size_t size, bool late) : size_(size), late_(late) {}
  Task<std::string> read() override {
    if (late_) co_await sleep(1s);
    co_return std::string(std::exchange(size_, 0), 'x');
  }

 private:
  std::size_t size_;
  bool late_;
};

// Returns how many connections a client makes for a response of `status` with such a body, and the next one.
std::uint64_t connections(int status, std::size_t size, bool late = false) {
  Sim sim;
  int requests = 0;
  http::Server server([&](http::Request) -> Task<http::Response> {
    if (++requests > 1) co_return http::Response(200, "end");
    http::Response response(status, http::Headers{{"Location", "/to"}}, http::Body());
    response.body = http::Body(std::make_unique<Content>(size, late));
    co_return std::move(response);
  });
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  http::Client client(sim.network());
  const http::Service service = http::layered(http::Redirect{}, http::Retry{}, client);
  const auto call = [](const http::Service& service) -> Task<std::string> {
    http::Response response = co_await service(http::get("http://s/"));
    std::string text = co_await response.body.text(100);
    co_return std::move(text);
  };
  Result<std::string> text = sim.run(call(service));
  CHECK(text);
  CHECK(requests == 2);
  scope.cancel();
  return client.connections_made();
}

}  // namespace

TEST_CASE(
    "drain: a short response that has come keeps its connection, for a redirect and for another attempt") {
  for (const int status : {302, 503}) {
    CAPTURE(status);
    CHECK(connections(status, 100) == 1);
    CHECK(connections(status, 100'000) == 2);
    CHECK(connections(status, 100, true) == 2);
  }
}
