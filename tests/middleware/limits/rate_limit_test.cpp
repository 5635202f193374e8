// RateLimit: so many requests a second from each client.

#include <escapement/middleware/limits/rate_limit.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>

#include "support/answers.h"
#include "support/from_peer.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::MockService;
using escapement::test::request;
using escapement::test::Step;

TEST_CASE("rate limit: a bucket for each client, refilled all the time") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  RateLimits limits;
  limits.per_second = 2;
  limits.burst = 3;
  const Service service = layered(RateLimit(limits), mock);
  const auto from = [&](const char* peer) {
    Request asking = request("GET", "/");
    test::FromPeer there(peer);
    asking.context = http::RequestContext(there);
    const Answer answer = *sim.run(ask(service, std::move(asking)));
    return answer.status == 429 ? "429 " + answer.field("retry-after") : std::to_string(answer.status);
  };
  for (int i = 0; i < 3; ++i) CHECK(from("10.0.0.1:1000") == "200");
  CHECK(from("10.0.0.1:1001") == "429 1");
  CHECK(from("10.0.0.2:1000") == "200");
  sim.advance(499ms);
  CHECK(from("10.0.0.1:1002") == "429 1");
  sim.advance(1ms);
  CHECK(from("10.0.0.1:1002") == "200");
  CHECK(from("10.0.0.1:1002") == "429 1");
  sim.advance(1h);
  for (int i = 0; i < 3; ++i) CHECK(from("10.0.0.1:1000") == "200");
  CHECK(from("10.0.0.1:1000") == "429 1");
}

TEST_CASE("rate limit: Retry-After is when the request would pass; clients remembered are bounded") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  RateLimits limits;
  limits.per_second = 0.1;
  limits.burst = 1;
  limits.keys_max = 3;
  limits.key = [](const Request& request) { return request.url.path(); };
  const RateLimit layer(limits);
  const Service service = layered(layer, mock);
  const auto of = [&](const char* path) {
    const Answer answer = *sim.run(ask(service, request("GET", path)));
    return answer.status == 429 ? "429 " + answer.field("retry-after") : std::to_string(answer.status);
  };
  CHECK(of("/a") == "200");
  sim.advance(1s);
  CHECK(of("/a") == "429 9");
  sim.advance(8'999ms);
  CHECK(of("/a") == "429 1");
  sim.advance(1ms);
  CHECK(of("/a") == "200");
  for (const char* path : {"/b", "/c"}) CHECK(of(path) == "200");
  CHECK(of("/a") == "429 10");
  CHECK(of("/d") == "200");  // /b, not seen for longest, is forgotten
  CHECK(layer.keys() == 3);
  CHECK(of("/a") == "429 10");
  CHECK(of("/b") == "200");
  sim.advance(1min);
  CHECK(of("/x") == "200");
  CHECK(of("/y") == "200");
  CHECK(layer.keys() <= 3);
}

TEST_CASE("rate limit: requests wait for their turn in order, as far as they may") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  RateLimits limits;
  limits.per_second = 10;
  limits.burst = 1;
  limits.wait_max = 250ms;
  limits.key = [](const Request&) { return std::string("all"); };
  const RateLimit layer(limits);
  const Service service = layered(layer, mock);
  std::vector<std::string> ends;
  auto call = [&](std::string name, Instant deadline = Instant::never()) -> Task<> {
    Request asking = request("GET", "/");
    asking.deadline = deadline;
    const Answer answer = co_await ask(service, std::move(asking));
    ends.push_back(name + ' ' + std::to_string(answer.status));
  };
  Scope scope(sim.reactor());
  for (const char* name : {"a", "b", "c", "d"}) scope.spawn(call(name));
  sim.settle();
  CHECK(layer.waiting() == 2);
  CHECK(ends == std::vector<std::string>{"a 200", "d 429"});
  scope.spawn(call("e", sim.reactor().now() + 50ms));
  CHECK(sim.run(scope.join()));
  CHECK(ends == std::vector<std::string>{"a 200", "d 429", "e 429", "b 200", "c 200"});
  CHECK(mock.times() == std::vector<double>{0, 100, 200});
  CHECK(layer.waiting() == 0);
}

TEST_CASE(
    "rate limit: the turn of one that left is free again, but for those that were promised a later one") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  RateLimits limits;
  limits.per_second = 10;
  limits.burst = 1;
  limits.wait_max = 1s;
  limits.key = [](const Request&) { return std::string("all"); };
  const Service service = layered(RateLimit(limits), mock);
  auto call = [&]() -> Task<> {
    const Answer answer = co_await ask(service, request("GET", "/"));
    CHECK(answer.status == 200);
  };
  Scope scope(sim.reactor());
  scope.spawn(call);  // at 0
  {
    Scope leaving(sim.reactor());
    leaving.spawn(call);  // was to go at 100
    sim.settle();
  }
  scope.spawn(call);  // at 100
  sim.settle();
  {
    Scope leaving(sim.reactor());
    leaving.spawn(call);  // was to go at 200
    sim.settle();
    scope.spawn(call);  // at 300
    sim.settle();
  }
  scope.spawn(call);  // at 400: the turn at 200 is lost
  CHECK(sim.run(scope.join()));
  CHECK(mock.times() == std::vector<double>{0, 100, 300, 400});
}
