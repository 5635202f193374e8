// The shapes of callables that a Service is made of, called by a server and by a program.

#include <memory>
#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>

#include "support/raw_http.h"

using namespace escapement;
using http::Request;
using http::Response;

namespace {

std::string described(const Request& request) {
  return std::string(request.method.text()) + ' ' + request.url.path() + ' ' +
         std::string(request.headers.get_or("x", "-")) + ' ' + std::string(request.target);
}

Task<Response> by_value(Request request) { co_return Response(200, described(request)); }
Task<Response> by_const_reference(const Request& request) { co_return Response(200, described(request)); }
Task<Response> by_rvalue(Request&& request) { co_return Response(200, described(request)); }

struct Member {
  Task<Response> operator()(Request&& request) const { co_return Response(200, described(request)); }
};

// Returns a service of each shape: coroutines that read the request after they were called, by whatever they
// take it.
http::Service service_of(int shape) {
  switch (shape) {
    case 0: return by_value;
    case 1: return by_const_reference;
    case 2: return by_rvalue;
    case 3: return Member();
    case 4:
      return
          [](Request&& request) noexcept -> Task<Response> { co_return Response(200, described(request)); };
    case 5: return [](auto&& request) -> Task<Response> { co_return Response(200, described(request)); };
    default: return [](auto request) -> Task<Response> { co_return Response(200, described(request)); };
  }
}
constexpr int shapes = 7;

}  // namespace

TEST_CASE("service: a server's request reaches callables that take it, and those that take a reference") {
  const int shape = GENERATE(range(0, shapes));
  const bool body = GENERATE(false, true);
  CAPTURE(shape, body);
  Sim sim(Seed{1});
  http::Server server(service_of(shape));
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  const std::string begins = body ? "POST" : "GET";
  const std::string fields = body ? "Content-Length: 3\r\n\r\nabc" : "\r\n";
  REQUIRE(sim.run(stream->write(as_bytes(begins + " /a?b HTTP/1.1\r\nHost: s\r\nX: 1\r\n" + fields))));
  const std::string answer = test::read_for(sim, *stream, 1s);
  CHECK(answer.starts_with("HTTP/1.1 200 "));
  CHECK(answer.ends_with("\r\n\r\n" + begins + " /a 1 /a?b"));
}

TEST_CASE("service: a program's request reaches them as well") {
  const int shape = GENERATE(range(0, shapes));
  CAPTURE(shape);
  Sim sim(Seed{1});
  const http::Service service = service_of(shape);
  Request request = http::get("http://s/a?b");
  request.headers.add("X", "2");
  Result<Response> response = sim.run(service(std::move(request)));
  REQUIRE(response);
  CHECK(response->body.bytes() == "GET /a 2 ");
}
