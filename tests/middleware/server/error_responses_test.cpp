// ErrorResponses: a response in place of a failure.

#include <escapement/middleware/server/error_responses.h>

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

TEST_CASE("error responses: an answer for every failure but a reset") {
  Sim sim;
  const std::pair<Errc, int> rows[] = {{Errc::timed_out, 504},  {Errc::unavailable, 502},
                                       {Errc::overloaded, 503}, {Errc::internal, 500},
                                       {Errc::exception, 500},  {Errc::bad_message, 500}};
  for (const auto& [code, status] : rows) {
    std::string told;
    ErrorResponses layer;
    layer.tell = [&](const Error& error) { told = error.message(); };
    MockService mock(sim, {Step(Error(code, "secret"))});
    const Answer answer = *sim.run(ask(layered(layer, mock), request("GET", "/")));
    CHECK(answer.status == status);
    CHECK(answer.body.find("secret") == answer.body.npos);
    CHECK(told == "secret");
  }
  MockService resets(sim, {Step(Error(Errc::reset, "x"))});
  CHECK(sim.run(layered(ErrorResponses{}, resets)(request("GET", "/"))).error() == Errc::reset);
  ErrorResponses pages;
  pages.page = [](int status) { return Response(status, "page " + std::to_string(status)); };
  MockService fails(sim, {Step(Error(Errc::internal, "x"))});
  CHECK(sim.run(ask(layered(pages, fails), request("GET", "/")))->body == "page 500");
}
