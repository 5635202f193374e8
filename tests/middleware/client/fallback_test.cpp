// Fallback: which outcomes the other service is asked for.

#include <escapement/middleware/client/fallback.h>

#include <catch2/catch_test_macros.hpp>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

// The answer to a request with the body "b", and how often the other service was asked.
std::string told(Step first, const char* method = "PUT", bool any_method = false) {
  Sim sim;
  MockService mock(sim, {std::move(first)});
  MockService other(sim, {Step(203)});
  Fallback fallback{other};
  fallback.any_method = any_method;
  Answer answer = *sim.run(ask(layered(fallback, mock), escapement::test::request(method, "/", {}, "b")));
  if (!other.asked().empty()) CHECK(other.asked()[0].what == std::string(method) + " http://h/ b");
  return std::to_string(answer.status) + answer.error + " " + std::to_string(other.asked().size());
}

}  // namespace

TEST_CASE("fallback: failures go to the other service, with the body, and nothing else does") {
  CHECK(told(Step(200)) == "200 0");
  CHECK(told(Step(404)) == "404 0");
  CHECK(told(Step(500)) == "203 1");
  CHECK(told(Step(Error(Errc::timed_out, "x"))) == "203 1");
  CHECK(told(Step(Error(Errc::invalid_argument, "x"))).ends_with(" 0"));
}

TEST_CASE("fallback: a POST only if nothing of it was sent, or by the caller's word") {
  CHECK(told(Step(500), "POST") == "500 0");
  CHECK(told(Step(Error(Errc::reset, "x")), "POST").ends_with(" 0"));
  CHECK(told(Step(Error(Errc::unavailable, "x").nothing_sent()), "POST") == "203 1");
  CHECK(told(Step(500), "POST", true) == "203 1");
}

TEST_CASE("fallback: a body that cannot be sent again is not, and the other's failure is the result") {
  Sim sim;
  MockService mock(sim, {Step(500)});
  MockService other(sim, {Step(Error(Errc::reset, "other"))});
  const Service service = layered(Fallback{other}, mock);
  Request streamed = escapement::test::request("PUT", "/", {}, escapement::test::pieces({"a"}));
  CHECK(sim.run(service(std::move(streamed)))->status == 500);
  CHECK(other.asked().empty());
  CHECK(sim.run(service(get("http://h/"))).error().message() == "other");
  const Fallback chosen{.service = other,
                        .failed = [](const Attempt& attempt) { return attempt.response()->status == 404; }};
  CHECK(sim.run(layered(chosen, mock)(get("http://h/")))->status == 500);
}
