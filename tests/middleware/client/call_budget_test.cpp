// CallBudget: one account for all layers that a call meets, and what travels to the next server.

#include <escapement/middleware/client/call_budget.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/client/explain.h>
#include <escapement/middleware/client/hedge.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/resume.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/client/tiered_retry.h>
#include <escapement/middleware/presets/worst_case.h>
#include <escapement/timers/timeout.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

RetryBudget only(double ratio) {
  RetryBudgetOptions options;
  options.ratio = ratio;
  options.per_second_min = 0;
  return RetryBudget(options);
}

Request request() { return get("http://h/"); }

// A service that responds by a call of its own to the next one, with a request of its own.
Service tier(Service next) {
  return
      [client = layered(Retry{}, std::move(next))](Request) -> Task<Response> { return client(request()); };
}

std::size_t requests_of(const Service& service, const MockService& mock, Sim& sim, int calls) {
  for (int i = 0; i < calls; ++i) CHECK(sim.run(service(request()))->status == 503);
  return mock.asked().size();
}

}  // namespace

TEST_CASE("call budget: three tiers that each retry draw from the budget of the call together") {
  const std::size_t calls = 200;
  {
    Sim sim;
    MockService mock(sim, {Step(503)});
    CHECK(requests_of(tier(tier(tier(mock))), mock, sim, 2) == 2 * 27);
  }
  Sim sim;
  MockService mock(sim, {Step(503)});
  const Service service = layered(CallBudget(only(0.2)), tier(tier(tier(mock))));
  const std::size_t sent = requests_of(service, mock, sim, calls);
  CHECK(sent > calls * 11 / 10);
  CHECK(sent <= calls * 12 / 10);
}

TEST_CASE("call budget: of two around each other, the outer one pays") {
  Sim sim;
  MockService mock(sim, {Step(503)});
  const RetryBudget inner = only(1);
  const Service service = layered(CallBudget(only(0)), layered(CallBudget(inner), Retry{}, mock));
  CHECK(requests_of(service, mock, sim, 3) == 3);
  CHECK(inner.balance(sim.reactor().now()) == 0);
}

TEST_CASE("call budget: a layer with a budget of its own pays from that; with the same one, once") {
  Sim sim;
  MockService mock(sim, {Step(503)});
  Retry rich;
  rich.budget = only(2);
  CHECK(requests_of(layered(CallBudget(only(0)), rich, mock), mock, sim, 1) == 3);
  const RetryBudget shared = only(0.5);
  Retry same;
  same.budget = shared;
  const std::size_t before = mock.asked().size();
  CHECK(requests_of(layered(CallBudget(shared), same, mock), mock, sim, 4) == before + 4 + 2);
}

TEST_CASE("call budget: it is there after a redirect, and in each attempt of a Hedge") {
  Sim sim;
  MockService mock(sim, {Step(302, Headers{{"Location", "/to"}}), Step(503), Step(503), Step(200)});
  CHECK(sim.run(layered(CallBudget(only(1)), Redirect{}, Retry{}, mock)(request()))->status == 503);
  CHECK(mock.asked().size() == 3);
  Sim other;
  MockService slow(other, {Step::hang(), Step::hang(), Step(200)});
  Hedge hedge;
  hedge.attempts = 3;
  const Service hedged = layered(CallBudget(only(1)), hedge, slow);
  CHECK(other.run(with_timeout(1s, hedged(request()))).error() == Errc::timed_out);
  CHECK(slow.asked().size() == 2);
  const Service inside = layered(CallBudget(only(0)), hedge, layered(Retry{}, slow));
  CHECK(other.run(inside(request()))->status == 200);
}

TEST_CASE("call budget: a Resume draws from it while the body is read, by whomever") {
  for (const double ratio : {0.0, 1.0, 10.0}) {
    CAPTURE(ratio);
    Sim sim;
    int requests = 0;
    const PeerOutcome breaks = body_breaks();
    const Service peer = [&](Request asked) -> Task<Response> {
      ++requests;
      Task<Response> responding = breaks.respond(asked);
      Response response = co_await std::move(responding);
      co_return std::move(response);
    };
    const Service service = layered(CallBudget(only(ratio)), Resume{}, peer);
    Result<Response> response = sim.run(service(request()));
    REQUIRE(response);
    CHECK(sim.run(response->body.text(1000)).error() == Errc::reset);
    CHECK(requests == 1 + static_cast<int>(ratio));
  }
}

TEST_CASE("call budget: calls beside it have none, and explain() tells its balance") {
  Sim sim;
  MockService mock(sim, {Step(503)});
  CHECK(sim.run(layered(CallBudget(only(0)), Retry{}, mock)(request()))->status == 503);
  CHECK(mock.asked().size() == 1);
  CHECK(sim.run(layered(Retry{}, mock)(request()))->status == 503);
  CHECK(mock.asked().size() == 4);
  const ExplainedService api = explained(CallBudget(only(1)), Retry{}, mock);
  const ExplainedOutcome call = *sim.run(api(request()));
  CHECK(call.explain().text().find("retry budget: 1 retries before, 0 after") != std::string::npos);
}

TEST_CASE("call budget: that a caller retries travels through a handler by itself") {
  Sim sim;
  MockService mock(sim, {Step(503)});
  const Service quiet = layered(TieredRetry{}, mock);
  const Service handler = layered(TakeRetryAttempt{}, [quiet](Request) { return quiet(request()); });
  Request marked = request();
  marked.headers.set(retry_attempt_field, "2");
  CHECK(sim.run(handler(std::move(marked)))->status == 503);
  REQUIRE(mock.asked().size() == 1);
  CHECK(mock.asked()[0].headers.get_or(retry_attempt_field, "") == "2");
  CHECK(sim.run(handler(request()))->status == 503);
  CHECK(mock.asked().size() == 4);
}
