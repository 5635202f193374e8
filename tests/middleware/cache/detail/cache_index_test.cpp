// CacheIndex, through a Cache: outdated responses are not stored. The rest of it: cache_test.cpp.

#include <escapement/middleware/cache/detail/cache_index.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/cache/cache.h>
#include <escapement/middleware/cache/memory_cache_store.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::pieces;
using escapement::test::request;

namespace {

Headers fresh() { return Headers{{"Cache-Control", "max-age=100"}}; }

}  // namespace

TEST_CASE("cache: a response that was asked for before a change is not stored after it") {
  for (const Duration body_takes : {Duration(), Duration(2s)}) {
    Sim sim;
    auto store = std::make_shared<MemoryCacheStore>();
    const Service service = layered(Cache(store), [&](Request request) -> Task<Response> {
      if (request.method == Method("PUT")) co_return Response(204);
      if (body_takes == Duration()) co_await sleep(2s);
      co_return Response(200, fresh(), pieces({"before"}, body_takes));
    });
    Scope scope(sim.reactor());
    std::string got;
    scope.spawn([&]() -> Task<> {
      const Answer answer = co_await ask(service, get("http://h/a"));
      got = answer.body;
    });
    sim.advance(1s);
    CHECK(sim.run(ask(service, request("PUT", "/a")))->status == 204);
    CHECK(sim.run(ask(service, request("PUT", "/b")))->status == 204);
    CHECK(sim.run(scope.join()));
    CHECK(got == "before");
    CHECK(store->size() == 0);
    scope.spawn([&]() -> Task<> {
      const Answer answer = co_await ask(service, get("http://h/a"));
      got = answer.body;
    });
    sim.advance(1s);
    CHECK(sim.run(ask(service, request("PUT", "/b")))->status == 204);
    CHECK(sim.run(scope.join()));
    CHECK(store->size() == 1);
  }
}

TEST_CASE("cache: of two responses to one request the later one stays, whichever ends first") {
  Sim sim;
  auto store = std::make_shared<MemoryCacheStore>();
  int calls = 0;
  const Service service = layered(Cache(store), [&](Request) -> Task<Response> {
    const bool first = ++calls == 1;
    co_return Response(200, fresh(), pieces({first ? "older" : "newer"}, first ? 5s : 1s));
  });
  Scope scope(sim.reactor());
  std::vector<std::string> got;
  auto call = [&]() -> Task<> {
    const Answer answer = co_await ask(service, get("http://h/"));
    got.push_back(answer.body);
  };
  scope.spawn(call);
  sim.advance(1s);
  scope.spawn(call);
  CHECK(sim.run(scope.join()));
  CHECK(got == std::vector<std::string>{"newer", "older"});
  CHECK(sim.run(ask(service, get("http://h/")))->body == "newer");
  CHECK(calls == 2);
}
