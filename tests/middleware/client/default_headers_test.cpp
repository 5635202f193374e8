// DefaultHeaders.

#include <escapement/middleware/client/default_headers.h>

#include <catch2/catch_test_macros.hpp>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

std::string told(const Result<Response>& outcome) {
  return outcome ? std::to_string(outcome->status) : std::string(name(outcome.error().code()));
}

Request request(const char* method, Headers headers = {}, Body body = {}) {
  return Request(method, *Url::parse("http://h/"), std::move(headers), std::move(body));
}

}  // namespace

TEST_CASE("default headers: only what is missing") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const Service service = layered(DefaultHeaders{Headers{{"A", "default"}, {"B", "default"}}}, mock);
  CHECK(told(sim.run(service(request("GET", Headers{{"a", "own"}})))) == "200");
  CHECK(*mock.asked()[0].headers.joined("a") == "own");
  CHECK(*mock.asked()[0].headers.joined("b") == "default");
}
