// Deduplicate: which requests share a call, and when the one that makes it goes.

#include <escapement/middleware/client/deduplicate.h>

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
using escapement::test::request;
using escapement::test::Step;

namespace {

// Runs the requests at once, and returns how many calls they made.
std::size_t calls(Headers first, Headers second, const char* method = "GET") {
  Sim sim;
  MockService mock(sim, {Step(200, {}, 10ms)});
  const Service service = layered(Deduplicate(), mock);
  auto call = [&](Headers headers) -> Task<> {
    Answer answer = co_await ask(service, request(method, "/", std::move(headers)));
    CHECK(answer.status == 200);
  };
  Scope scope(sim.reactor());
  scope.spawn(call(std::move(first)));
  scope.spawn(call(std::move(second)));
  CHECK(sim.run(scope.join()));
  return mock.asked().size();
}

}  // namespace

TEST_CASE("deduplicate: requests beside each other share a call, later ones do not") {
  Sim sim;
  MockService mock(sim, {Step(200, Headers{{"X-A", "1"}}, 100ms)});
  const Deduplicate deduplicate;
  const Service service = layered(deduplicate, mock);
  std::vector<std::string> bodies;
  auto call = [&]() -> Task<> {
    Answer answer = co_await ask(service, get("http://h/"));
    CHECK(answer.field("X-A") == "1");
    bodies.push_back(answer.body);
  };
  Scope scope(sim.reactor());
  for (int i = 0; i < 5; ++i) scope.spawn(call);
  sim.settle();
  CHECK(deduplicate.running() == 1);
  CHECK(sim.run(scope.join()));
  CHECK(bodies == std::vector<std::string>(5, "answer 1"));
  CHECK(deduplicate.running() == 0);
  CHECK(sim.run(call()));
  CHECK(bodies.back() == "answer 2");
}

TEST_CASE("deduplicate: only what is equal and safe shares") {
  CHECK(calls({}, {}) == 1);
  CHECK(calls({}, {}, "HEAD") == 1);
  CHECK(calls({}, {}, "POST") == 2);
  CHECK(calls({}, {}, "DELETE") == 2);
  CHECK(calls({{"Authorization", "a"}}, {{"Authorization", "b"}}) == 2);
  CHECK(calls({{"Authorization", "a"}}, {{"authorization", "a"}}) == 1);
  CHECK(calls({{"Cookie", "a"}}, {}) == 2);
  CHECK(calls({{"Host", "a.test"}}, {{"Host", "b.test"}}) == 2);
  CHECK(calls({{"Accept-Language", "de"}}, {{"Accept-Language", "en"}}) == 2);
  CHECK(calls({{"Accept", "text/html"}}, {{"Accept", "application/json"}}) == 2);
  CHECK(calls({{"Range", "bytes=0-1"}}, {{"Range", "bytes=0-1"}}) == 2);
  CHECK(calls({{"If-None-Match", "\"a\""}}, {{"If-None-Match", "\"a\""}}) == 2);
  CHECK(calls({{"X-Request-Id", "1"}}, {{"X-Request-Id", "2"}}) == 1);
}

TEST_CASE("deduplicate: a failure is shared, of the call and of the body") {
  Sim sim;
  MockService mock(sim, {Step(Error(Errc::reset, "broken"), 10ms)});
  const Service breaking = [](Request) -> Task<Response> {
    co_return Response(200, pieces({"a"}, 1ms, true));
  };
  for (const Service& inner : {Service(mock), breaking}) {
    const Service service = layered(Deduplicate(), inner);
    int failed = 0;
    auto call = [&]() -> Task<> {
      Answer answer = co_await ask(service, get("http://h/"));
      failed += answer.error.starts_with("reset") ? 1 : 0;
    };
    Scope scope(sim.reactor());
    for (int i = 0; i < 3; ++i) scope.spawn(call);
    CHECK(sim.run(scope.join()));
    CHECK(failed == 3);
  }
  CHECK(mock.asked().size() == 1);
}

TEST_CASE("deduplicate: who makes the call may leave, and another one makes it") {
  Sim sim;
  MockService mock(sim, {Step(200, {}, 100ms)});
  const Deduplicate deduplicate;
  const Service service = layered(deduplicate, mock);
  std::vector<std::string> bodies;
  auto call = [&]() -> Task<> {
    Answer answer = co_await ask(service, get("http://h/"));
    bodies.push_back(answer.body);
  };
  Scope scope(sim.reactor());
  {
    Scope leaving(sim.reactor());
    leaving.spawn(call);
    sim.settle();
    for (int i = 0; i < 3; ++i) scope.spawn(call);
    sim.advance(50ms);
    CHECK(mock.asked().size() == 1);
  }
  CHECK(sim.run(scope.join()));
  CHECK(bodies == std::vector<std::string>(3, "answer 2"));
  CHECK(mock.asked().size() == 2);
  CHECK(deduplicate.running() == 0);
}

TEST_CASE("deduplicate: a long body is whole for the one that made the call; the others make their own") {
  Sim sim;
  int made = 0;
  const Service long_body = [&made](Request) -> Task<Response> {
    ++made;
    co_await sleep(1ms);
    co_return Response(200, pieces({"12345", "67890", "abcde"}, 1ms));
  };
  DeduplicateOptions options;
  options.bytes_max = 8;
  const Service service = layered(Deduplicate(options), long_body);
  int whole = 0;
  auto call = [&]() -> Task<> {
    Answer answer = co_await ask(service, get("http://h/"));
    whole += answer.body == "1234567890abcde" ? 1 : 0;
  };
  Scope scope(sim.reactor());
  for (int i = 0; i < 3; ++i) scope.spawn(call);
  CHECK(sim.run(scope.join()));
  CHECK(whole == 3);
  CHECK(made == 3);
}
