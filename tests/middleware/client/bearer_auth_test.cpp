// BearerAuth: where the token goes, and when a new one is got.

#include <escapement/middleware/client/bearer_auth.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/redirect.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

// Counts up: "t1", "t2", ...
BearerAuthOptions counting(int& got, Duration pause = {}) {
  BearerAuthOptions options;
  options.origin = "https://api.test";
  options.get_token = [&got, pause]() -> Task<std::string> {
    const int mine = ++got;
    co_await sleep(pause);
    co_return "t" + std::to_string(mine);
  };
  return options;
}

std::string authorization(const MockService& mock, std::size_t at) {
  return std::string(mock.asked().at(at).headers.get_or("Authorization", "none"));
}

}  // namespace

TEST_CASE("bearer auth: one token for all requests to its origin, and for no other") {
  Sim sim;
  int got = 0;
  MockService mock(sim, {Step(200)});
  const Service service = layered(BearerAuth(counting(got)), mock);
  for (const char* url : {"https://api.test/a", "https://api.test:443/b", "http://api.test/",
                          "https://api.test:444/", "https://api.test.evil.test/", "https://evil.test/"}) {
    CHECK(sim.run(service(get(url)))->status == 200);
  }
  CHECK(got == 1);
  CHECK(authorization(mock, 0) == "Bearer t1");
  CHECK(authorization(mock, 1) == "Bearer t1");
  for (std::size_t i = 2; i < 6; ++i) CHECK(authorization(mock, i) == "none");
  Request own = get("https://api.test/");
  own.headers.set("Authorization", "Basic x");
  CHECK(sim.run(service(std::move(own)))->status == 200);
  CHECK(authorization(mock, 6) == "Bearer t1");
}

TEST_CASE("bearer auth: a 401 gets a new token, once, with the body again") {
  Sim sim;
  int got = 0;
  MockService mock(sim, {Step(401), Step(200), Step(401), Step(401)});
  const Service service = layered(BearerAuth(counting(got)), mock);
  CHECK(sim.run(service(Request("POST", *Url::parse("https://api.test/"), {}, "body")))->status == 200);
  CHECK(got == 2);
  CHECK(mock.asked()[1].what == "POST https://api.test/ body");
  CHECK(authorization(mock, 1) == "Bearer t2");
  CHECK(sim.run(service(get("https://api.test/")))->status == 401);
  CHECK(got == 3);
  Request streamed("PUT", *Url::parse("https://api.test/"), {}, escapement::test::pieces({"a"}));
  CHECK(sim.run(service(std::move(streamed)))->status == 401);
  CHECK(got == 3);
}

TEST_CASE("bearer auth: calls beside each other wait for one token; a caller that leaves hands over") {
  Sim sim;
  int got = 0;
  MockService mock(sim, {Step(401, {}, 10ms), Step(401, {}, 10ms), Step(401, {}, 10ms), Step(200)});
  const Service service = layered(BearerAuth(counting(got, 1s)), mock);
  auto call = [&]() -> Task<> {
    Answer answer = co_await ask(service, get("https://api.test/"));
    CHECK(answer.status == 200);
  };
  Scope scope(sim.reactor());
  for (int i = 0; i < 3; ++i) scope.spawn(call);
  CHECK(sim.run(scope.join()));
  CHECK(got == 2);  // one at first, one after three refusals of it

  int later = 0;
  const Service other = layered(BearerAuth(counting(later, 1s)), mock);
  auto second = [&]() -> Task<> {
    Answer answer = co_await ask(other, get("https://api.test/"));
    CHECK(answer.status == 200);
  };
  {
    Scope leaving(sim.reactor());
    leaving.spawn(second);
    sim.settle();
    scope.spawn(second);
    sim.advance(500ms);
  }
  CHECK(sim.run(scope.join()));
  CHECK(later == 2);
}

TEST_CASE("bearer auth: without a token the call fails as get_token does, and the next one tries again") {
  Sim sim;
  BearerAuthOptions options;
  options.origin = "https://api.test";
  int tries = 0;
  options.get_token = [&]() -> Task<std::string> {
    if (++tries == 1) co_return Error(Errc::permission_denied, "no secret");
    co_return "t";
  };
  MockService mock(sim, {Step(200)});
  const Service service = layered(BearerAuth(options), mock);
  CHECK(sim.run(service(get("https://api.test/"))).error().message() == "no secret");
  CHECK(mock.asked().empty());
  CHECK(sim.run(service(get("https://api.test/")))->status == 200);
}

TEST_CASE("bearer auth: inside a redirect the token does not leave its origin") {
  Sim sim;
  int got = 0;
  MockService mock(sim, {Step(302, Headers{{"Location", "https://evil.test/"}}),
                         Step(302, Headers{{"Location", "https://api.test/back"}}), Step(200)});
  const Service service = layered(Redirect{}, BearerAuth(counting(got)), mock);
  CHECK(sim.run(service(get("https://api.test/")))->status == 200);
  CHECK(authorization(mock, 0) == "Bearer t1");
  CHECK(authorization(mock, 1) == "none");
  CHECK(authorization(mock, 2) == "Bearer t1");
}
