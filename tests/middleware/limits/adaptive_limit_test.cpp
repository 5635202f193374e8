// AdaptiveLimit: the limit's course, and the queue.

#include <escapement/middleware/limits/adaptive_limit.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::MockService;
using escapement::test::pieces;
using escapement::test::Step;

namespace {

AdaptiveLimitOptions from(std::size_t first, std::size_t most = 1000) {
  AdaptiveLimitOptions options;
  options.first = first;
  options.most = most;
  return options;
}

// Runs `count` calls at once to their end.
void burst(Sim& sim, const Service& service, std::size_t count) {
  auto call = [&]() -> Task<> {
    Answer answer = co_await ask(service, get("http://h/"));
    (void)answer;
  };
  Scope scope(sim.reactor());
  for (std::size_t i = 0; i < count; ++i) scope.spawn(call);
  CHECK(sim.run(scope.join()));
}

}  // namespace

TEST_CASE("adaptive limit: grows by one for as many good responses as it is, if they used half of it") {
  Sim sim;
  MockService mock(sim, {Step(200, {}, 10ms)});
  const AdaptiveLimit limit(from(4));
  const Service service = layered(limit, mock);
  for (int i = 0; i < 100; ++i) CHECK(sim.run(ask(service, get("http://h/"))));
  CHECK(limit.limit() == 4);  // one at a time says nothing about four
  for (int i = 0; i < 20; ++i) burst(sim, service, 8);
  CHECK(limit.limit() >= 8);
  CHECK(limit.limit() <= 20);
  CHECK(limit.running() == 0);
  const AdaptiveLimit bounded(from(4, 6));
  const Service other = layered(bounded, mock);
  for (int i = 0; i < 20; ++i) burst(sim, other, 8);
  CHECK(bounded.limit() == 6);
}

TEST_CASE("adaptive limit: calls that ran together lower it one time, and never below the least") {
  Sim sim;
  MockService mock(sim, {Step(503, {}, 10ms)});
  const AdaptiveLimit limit(from(100));
  const Service service = layered(limit, mock);
  burst(sim, service, 50);
  CHECK(limit.limit() == 90);
  burst(sim, service, 50);
  CHECK(limit.limit() == 81);
  for (int i = 0; i < 100; ++i) burst(sim, service, 1);
  CHECK(limit.limit() == 1);
}

TEST_CASE("adaptive limit: slow responses and time limits count as too many, other failures as neither") {
  Sim sim;
  MockService slow(sim, {Step(200, {}, 1001ms)});
  const AdaptiveLimit limit(from(10));
  burst(sim, layered(limit, slow), 1);
  CHECK(limit.limit() == 9);
  MockService late(sim, {Step(Error(Errc::timed_out, "x"))});
  burst(sim, layered(limit, late), 1);
  CHECK(limit.limit() == 8);
  MockService broken(sim, {Step(Error(Errc::bad_message, "x"))});
  for (int i = 0; i < 100; ++i) burst(sim, layered(limit, broken), 5);
  CHECK(limit.limit() == 8);
}

TEST_CASE("adaptive limit: so many run, so many wait in order, the others are refused; the body counts") {
  Sim sim;
  const Service slow_body = [](Request) -> Task<Response> {
    co_return Response(200, pieces({"a", "b"}, 100ms));
  };
  AdaptiveLimitOptions options = from(1, 1);
  options.waiting_max = 2;
  options.wait_max = 10s;
  const AdaptiveLimit limit(options);
  const Service service = layered(limit, slow_body);
  std::vector<std::string> log;
  auto call = [&]() -> Task<> {
    Answer answer = co_await ask(service, get("http://h/"));
    log.push_back(std::to_string(answer.status) + '@' + std::to_string(sim.elapsed() / Duration(1ms)));
  };
  Scope scope(sim.reactor());
  for (int i = 0; i < 4; ++i) scope.spawn(call);
  sim.settle();
  CHECK(limit.running() == 1);
  CHECK(limit.waiting() == 2);
  sim.advance(2s);
  CHECK(log == std::vector<std::string>{"503@0", "200@300", "200@600", "200@900"});
  CHECK(limit.running() == 0);
  CHECK(limit.waiting() == 0);
}

TEST_CASE("adaptive limit: who waits too long is refused; who leaves gives its place on") {
  Sim sim;
  MockService mock(sim, {Step(200, {}, 3s)});
  AdaptiveLimitOptions options = from(1, 1);
  options.slow = 1h;
  const AdaptiveLimit limit(options);
  const Service service = layered(limit, mock);
  std::vector<std::string> log;
  auto call = [&]() -> Task<> {
    Answer answer = co_await ask(service, get("http://h/"));
    log.push_back(std::to_string(answer.status) + '@' + std::to_string(sim.elapsed() / Duration(1ms)));
  };
  Scope scope(sim.reactor());
  {
    Scope leaving(sim.reactor());
    leaving.spawn(call);
    sim.settle();
    scope.spawn(call);
    sim.advance(1500ms);
    CHECK(log == std::vector<std::string>{"503@1000"});
    leaving.spawn(call);
    scope.spawn(call);
    sim.settle();
    CHECK(limit.waiting() == 2);
  }
  sim.settle();
  CHECK(limit.waiting() == 0);
  CHECK(limit.running() == 1);
  sim.advance(3s);
  CHECK(log.back() == "200@4500");
  CHECK(limit.running() == 0);
}

TEST_CASE(
    "adaptive limit: the gradient finds what a service bears, up and down, without a time that is slow") {
  Sim sim;
  // A service of `cores`: requests beyond them wait, so all take longer.
  int cores = 20;
  int running = 0;
  const Service service = [&](Request) -> Task<Response> {
    ++running;
    const int share = std::max(1, (running + cores - 1) / cores);
    co_await sleep(Duration(10ms) * share);
    --running;
    co_return Response(200, "x");
  };
  AdaptiveLimitOptions options = from(2);
  options.rule = AdaptiveRule::gradient;
  const AdaptiveLimit limit(options);
  const Service limited = layered(limit, service);
  for (int i = 0; i < 60; ++i) burst(sim, limited, 200);
  CHECK(limit.limit() > 20);
  CHECK(limit.limit() < 60);
  cores = 5;
  for (int i = 0; i < 5; ++i) burst(sim, limited, 200);
  CHECK(limit.limit() < 25);
}

TEST_CASE("adaptive limit: the gradient lowers the limit for failures, and not for what is slow alike") {
  Sim sim;
  AdaptiveLimitOptions options = from(10);
  options.rule = AdaptiveRule::gradient;
  MockService slow(sim, {Step(200, {}, 5s)});
  const AdaptiveLimit patient(options);
  burst(sim, layered(patient, slow), 10);
  CHECK(patient.limit() >= 10);
  MockService broken(sim, {Step(503)});
  const AdaptiveLimit limit(options);
  burst(sim, layered(limit, broken), 1);
  CHECK(limit.limit() == 9);
}
