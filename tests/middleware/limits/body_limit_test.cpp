// BodyLimit: how long the body of a request may be.

#include <escapement/middleware/limits/body_limit.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>

#include "support/answers.h"
#include "support/from_peer.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::ask;
using escapement::test::pieces;
using escapement::test::request;

TEST_CASE("body limit: known too long, found too long, and short enough") {
  Sim sim;
  int reached = 0;
  const Service reads = [&](Request request) -> Task<Response> {
    ++reached;
    std::string text = co_await request.body.text(1 * MiB);
    co_return Response(200, text);
  };
  const Service service = layered(BodyLimit{5}, reads);
  const auto post = [&](Body body) {
    return *sim.run(ask(service, request("POST", "/", {}, std::move(body))));
  };
  CHECK(post("12345").body == "12345");
  CHECK(post("123456").status == 413);
  CHECK(reached == 1);
  CHECK(post(pieces({"123", "45"})).body == "12345");
  CHECK(post(pieces({"123", "456"})).status == 413);
  CHECK(reached == 3);
  const Service fails = [](Request) -> Task<Response> { co_return Error(Errc::limit_exceeded, "another"); };
  CHECK(sim.run(layered(BodyLimit{5}, fails)(request("POST", "/", {}, "1"))).error() == Errc::limit_exceeded);
}

TEST_CASE("body limit: a handler that reads on gets no body with a hole in it") {
  Sim sim;
  std::string got;
  int failures = 0;
  const Service reads_on = [&](Request request) -> Task<Response> {
    for (int i = 0; i < 4; ++i) {
      Result<std::string> piece = co_await request.body.read().result();
      if (piece) got += *piece;
      failures += piece ? 0 : 1;
    }
    co_return Response(200);
  };
  const Service service = layered(BodyLimit{5}, reads_on);
  CHECK(sim.run(ask(service, request("POST", "/", {}, pieces({"123", "456", "7", "8"}))))->status == 200);
  CHECK(got == "123");
  CHECK(failures == 3);
}
