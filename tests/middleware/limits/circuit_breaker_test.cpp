// CircuitBreaker, call by call in simulated time.

#include <escapement/middleware/limits/circuit_breaker.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

Request to(const char* url) { return Request("GET", *Url::parse(url)); }

// The status, or the kind of the error.
std::string call(Sim& sim, const Service& service, const char* url = "http://a/") {
  Result<Response> outcome = sim.run(service(to(url)));
  return outcome ? std::to_string(outcome->status) : std::string(name(outcome.error().code()));
}

CircuitBreakerOptions small() {
  CircuitBreakerOptions options;
  options.calls_min = 4;
  options.pause = 1s;
  options.pause_max = 3s;
  return options;
}

}  // namespace

TEST_CASE("circuit breaker: opens at the ratio, not before so many calls, and refuses without calling") {
  Sim sim;
  MockService mock(sim, {Step(200), Step(200), Step(500), Step(500), Step(200)});
  const CircuitBreaker breaker(small());
  const Service service = layered(breaker, mock);
  CHECK(call(sim, service) == "200");
  CHECK(call(sim, service) == "200");
  CHECK(call(sim, service) == "500");
  CHECK(breaker.state("http://a", sim.reactor().now()) == CircuitState::closed);
  CHECK(call(sim, service) == "500");
  CHECK(breaker.state("http://a", sim.reactor().now()) == CircuitState::open);
  Result<Response> refused = sim.run(service(to("http://a/")));
  CHECK(refused.error() == Errc::unavailable);
  CHECK_FALSE(refused.error().maybe_sent());
  CHECK(refused.error().message() == "the circuit of http://a is open for another 1000 ms");
  CHECK(mock.asked().size() == 4);
  CHECK(call(sim, service, "http://b/") == "200");  // another circuit
}

TEST_CASE("circuit breaker: one trial after the pause; a failure doubles it, a success closes and forgets") {
  Sim sim;
  MockService mock(sim,
                   {Step(500), Step(500), Step(500), Step(500),  // opens
                    Step(Error(Errc::reset, "x")), Step(503), Step(503), Step(200), Step(500), Step(200)});
  std::vector<std::string> changes;
  CircuitBreakerOptions options = small();
  options.observer = [&](const std::string& key, CircuitState state) {
    changes.push_back(key + ' ' + std::string(name(state)));
  };
  const CircuitBreaker breaker(options);
  const Service service = layered(breaker, mock);
  for (int i = 0; i < 4; ++i) call(sim, service);
  for (const Duration pause : {1s, 2s, 3s, 3s}) {
    sim.advance(pause - 1ms);
    CHECK(call(sim, service) == "unavailable");
    sim.advance(1ms);
    CHECK(breaker.state("http://a", sim.reactor().now()) == CircuitState::half_open);
    call(sim, service);
  }
  CHECK(breaker.state("http://a", sim.reactor().now()) == CircuitState::closed);
  CHECK(call(sim, service) == "500");  // one failure of one call: fewer than calls_min
  CHECK(call(sim, service) == "200");
  CHECK(changes == std::vector<std::string>{"http://a open", "http://a half-open", "http://a open",
                                            "http://a half-open", "http://a open", "http://a half-open",
                                            "http://a open", "http://a half-open", "http://a closed"});
}

TEST_CASE("circuit breaker: beside a trial all are refused; a trial that is given up leaves its place") {
  Sim sim;
  MockService mock(sim, {Step(500), Step(500), Step(500), Step(500), Step::hang(), Step(200)});
  const CircuitBreaker breaker(small());
  const Service service = layered(breaker, mock);
  for (int i = 0; i < 4; ++i) call(sim, service);
  sim.advance(1s);
  {
    Scope scope(sim.reactor(), nullptr);
    auto hang = [&]() -> Task<> {
      Response response = co_await service(to("http://a/"));
      (void)response;
    };
    scope.spawn(hang);
    sim.settle();
    CHECK(mock.live() == 1);
    CHECK(call(sim, service) == "unavailable");
  }
  CHECK(mock.live() == 0);
  CHECK(call(sim, service) == "200");
  CHECK(breaker.state("http://a", sim.reactor().now()) == CircuitState::closed);
}

TEST_CASE("circuit breaker: failures leave the window; a call from before a change does not count") {
  Sim sim;
  MockService mock(sim, {Step(500), Step(500), Step(500), Step(200)});
  const CircuitBreaker breaker(small());
  const Service service = layered(breaker, mock);
  for (int i = 0; i < 3; ++i) call(sim, service);
  sim.advance(10s);
  for (int i = 0; i < 4; ++i) CHECK(call(sim, service) == "200");

  MockService slow(sim, {Step(500, {}, 5s), Step(500), Step(500), Step(500), Step(500), Step(200)});
  const CircuitBreaker other(small());
  const Service late = layered(other, slow);
  Scope scope(sim.reactor(), nullptr);
  auto first = [&]() -> Task<> {
    Response response = co_await late(to("http://a/"));
    CHECK(response.status == 500);
  };
  scope.spawn(first);
  sim.settle();
  for (int i = 0; i < 4; ++i) call(sim, late);
  sim.advance(1s);
  CHECK(call(sim, late) == "200");
  sim.advance(10s);  // the slow one fails meanwhile
  CHECK(other.state("http://a", sim.reactor().now()) == CircuitState::closed);
}

TEST_CASE("circuit breaker: faults of the caller do not count, nor does a call that was cancelled") {
  Sim sim;
  MockService mock(
      sim, {Step(404), Step(429), Step(Error(Errc::invalid_argument, "x")), Step(Error::cancelled())});
  const CircuitBreaker breaker(small());
  const Service service = layered(breaker, mock);
  for (int i = 0; i < 12; ++i) call(sim, service);
  CHECK(breaker.state("http://a", sim.reactor().now()) == CircuitState::closed);
}

TEST_CASE("circuit breaker: remembers so many circuits; one that is forgotten while called does no harm") {
  Sim sim;
  CircuitBreakerOptions options = small();
  options.keys_max = 2;
  options.calls_min = 1;
  MockService mock(sim, {Step(500)});
  const CircuitBreaker breaker(options);
  const Service service = layered(breaker, mock);
  for (const char* url : {"http://a/", "http://b/", "http://c/"}) call(sim, service, url);
  CHECK(breaker.state("http://a", sim.reactor().now()) == CircuitState::closed);
  CHECK(breaker.state("http://b", sim.reactor().now()) == CircuitState::open);
  CHECK(call(sim, service, "http://a/") == "500");
}
