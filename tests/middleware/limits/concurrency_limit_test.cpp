// ConcurrencyLimit: how many requests run and wait.

#include <escapement/middleware/limits/concurrency_limit.h>

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
using escapement::test::pieces;
using escapement::test::request;
using escapement::test::Step;

namespace {

// "STATUS@MILLISECONDS" of each call, in the order in which they end.
Task<> note(const Service& service, Sim& sim, std::vector<std::string>& log) {
  Answer answer = co_await ask(service, request("GET", "/"));
  log.push_back(std::to_string(answer.status) + '@' + std::to_string(sim.elapsed() / Duration(1ms)));
}

}  // namespace

TEST_CASE("concurrency limit: so many run, so many wait, the others are refused at once") {
  Sim sim;
  MockService mock(sim, {Step(200, {}, 100ms)});
  const ConcurrencyLimit limit({.running_max = 2, .waiting_max = 2, .wait_max = 10s});
  const Service service = layered(limit, mock);
  std::vector<std::string> log;
  Scope scope(sim.reactor());
  for (int i = 0; i < 5; ++i) scope.spawn(note(service, sim, log));
  sim.settle();
  CHECK(limit.running() == 2);
  CHECK(limit.waiting() == 2);
  sim.advance(1s);
  CHECK(log == std::vector<std::string>{"503@0", "200@100", "200@100", "200@200", "200@200"});
  CHECK(limit.running() == 0);
  CHECK(limit.waiting() == 0);
}

TEST_CASE("concurrency limit: a permit is held to the end of the body") {
  Sim sim;
  const Service slow_body = [](Request) -> Task<Response> {
    co_return Response(200, pieces({"a", "b"}, 100ms));
  };
  const ConcurrencyLimit limit({.running_max = 1, .waiting_max = 8, .wait_max = 10s});
  const Service service = layered(limit, slow_body);
  std::vector<std::string> log;
  Scope scope(sim.reactor());
  for (int i = 0; i < 3; ++i) scope.spawn(note(service, sim, log));
  sim.advance(1s);
  CHECK(log == std::vector<std::string>{"200@300", "200@600", "200@900"});
}

TEST_CASE("concurrency limit: who waits too long is refused; who leaves gives up its place and its permit") {
  Sim sim;
  MockService mock(sim, {Step(200, {}, 3s)});
  const ConcurrencyLimit limit({.running_max = 1, .waiting_max = 1, .wait_max = 1s});
  const Service service = layered(limit, mock);
  std::vector<std::string> log;
  Scope scope(sim.reactor());
  {
    Scope leaving(sim.reactor());
    leaving.spawn(note(service, sim, log));
    sim.settle();
    scope.spawn(note(service, sim, log));
    sim.advance(1500ms);
    CHECK(log == std::vector<std::string>{"503@1000"});
    leaving.spawn(note(service, sim, log));
    sim.settle();
    CHECK(limit.waiting() == 1);
  }
  CHECK(limit.running() == 0);
  CHECK(limit.waiting() == 0);
  MockService failing(sim, {Step(Error(Errc::internal, "x"))});
  CHECK(sim.run(layered(limit, failing)(request("GET", "/"))).error() == Errc::internal);
  CHECK(limit.running() == 0);
}
