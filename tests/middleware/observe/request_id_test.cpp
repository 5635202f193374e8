// RequestId: one name for a request in every log.

#include <escapement/middleware/observe/request_id.h>

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

TEST_CASE("request id: kept where it may be, made where it is missing, and on the answer") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const auto id_of = [&](Headers headers, bool trusted = true) {
    const Answer answer =
        *sim.run(ask(layered(RequestId{trusted}, mock), request("GET", "/", std::move(headers))));
    CHECK(mock.asked().back().headers.get_or("x-request-id", "") == answer.field("x-request-id"));
    CHECK(mock.asked().back().headers.count("x-request-id") == 1);
    return answer.field("x-request-id");
  };
  CHECK(id_of(Headers{{"X-Request-ID", "abc-1"}}) == "abc-1");
  const std::string made = id_of({});
  CHECK(made.size() == 32);
  CHECK(made.find_first_not_of("0123456789abcdef") == made.npos);
  CHECK(id_of({}) != made);
  CHECK(id_of(Headers{{"X-Request-ID", "abc-1"}}, false).size() == 32);
  CHECK(id_of(Headers{{"X-Request-ID", "a b"}}).size() == 32);
  CHECK(id_of(Headers{{"X-Request-ID", std::string(128, 'a')}}).size() == 128);
  CHECK(id_of(Headers{{"X-Request-ID", std::string(129, 'a')}}).size() == 32);
  CHECK(id_of(Headers{{"X-Request-ID", "a"}, {"X-Request-ID", "b"}}).size() == 32);
}
