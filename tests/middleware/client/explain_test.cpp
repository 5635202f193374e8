// Explanations, word for word.

#include <escapement/middleware/client/explain.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

Retry plain(int attempts = 3) {
  Retry retry;
  retry.attempts = attempts;
  retry.jitter = Jitter::none;
  return retry;
}

template <class... Layers>
std::string explained_call(std::vector<Step> steps, Request request, Layers... layers) {
  Sim sim;
  MockService mock(sim, std::move(steps));
  const ExplainedService api = explained(layers..., mock);
  Result<ExplainedOutcome> call = sim.run(api(std::move(request)));
  CHECK(call->explain().requests() == static_cast<int>(mock.asked().size()));
  CHECK(call->explain().elapsed() == sim.elapsed());
  return call->explain().text();
}

Request post(Body body = "b") {
  return Request("POST", *Url::parse("http://u:secret@h/p"), {}, std::move(body));
}

class OneShot final : public BodySource {
 public:
  Task<std::string> read() override { co_return std::exchange(rest_, std::string()); }

 private:
  std::string rest_ = "once";
};

}  // namespace

TEST_CASE("explain: an attempt that hangs, and one that responds") {
  CHECK(explained_call({Step::hang(), Step(200, {}, 20ms)}, get("http://a.test/"), Timeout{2s}, plain(),
                       Timeout{250ms}) ==
        "GET http://a.test/: 200 after 370ms, 2 requests\n"
        "+0s      request 1: GET http://a.test/\n"
        "+250ms   Retry waits 100ms: the request may be sent twice\n"
        "+350ms   request 2: GET http://a.test/\n"
        "+370ms   request 2: 200\n"
        "+370ms   Retry stops: no failure\n");
}

TEST_CASE("explain: every reason for which there is no further attempt") {
  const auto last_of = [](std::string text) {
    text.pop_back();
    return text.substr(text.rfind("Retry stops: ") + 13);
  };
  const auto stops = [&](std::vector<Step> steps, Request request, Retry retry) {
    return last_of(explained_call(std::move(steps), std::move(request), retry));
  };
  CHECK(stops({Step(404)}, get("http://h/"), plain()) ==
        "another attempt would not help, or the server may have acted");
  CHECK(stops({Step(Error(Errc::reset, "x"))}, post(), plain()) ==
        "another attempt would not help, or might do twice what was asked once");
  CHECK(stops({Step(500)}, get("http://h/"), plain()) == "all attempts were made");
  CHECK(stops({Step(503, Headers{{"Retry-After", "61"}})}, get("http://h/"), plain()) ==
        "the server asks for a longer wait than Retry::server_delay_max");
  CHECK(stops({Step(429)}, post(Body(std::make_unique<OneShot>())), plain()) ==
        "the streaming body cannot be sent twice");
  Request hurried = get("http://h/");
  hurried.deadline = Instant() + 1ns;
  CHECK(stops({Step(500)}, std::move(hurried), plain()) == "the wait would end after the caller's deadline");
}

TEST_CASE("explain: the budget before and after, and what was sent without credentials") {
  RetryBudgetOptions options;
  options.ratio = 1;
  options.per_second_min = 0;
  Retry retry = plain();
  retry.budget.emplace(options);
  CHECK(explained_call({Step(503)}, get("http://u:secret@h/p"), retry) ==
        "GET http://h/p: 503 after 100ms, 2 requests\n"
        "+0s      request 1: GET http://h/p\n"
        "+0s      request 1: 503\n"
        "+0s      Retry waits 100ms: the status may be temporary\n"
        "+100ms   request 2: GET http://h/p\n"
        "+100ms   request 2: 503\n"
        "+100ms   Retry stops: the retry budget is used up\n"
        "         retry budget: 0 retries before, 0 after\n");
}

TEST_CASE("explain: a failure has its words, and redirects are requests like others") {
  CHECK(explained_call({Step(302, Headers{{"Location", "/to"}}),
                        Step(Error(Errc::unavailable, "refused").nothing_sent())},
                       get("http://h/"), Redirect{}) ==
        "GET http://h/: unavailable: refused after 0s, 2 requests\n"
        "+0s      request 1: GET http://h/\n"
        "+0s      request 1: 302\n"
        "+0s      request 2: GET http://h/to\n"
        "+0s      request 2 failed: unavailable: refused\n");
}

TEST_CASE("explain: calls beside each other have their own, a cancelled one has none, a sink gets each") {
  Sim sim;
  MockService mock(sim, {Step(500), Step(200)});
  std::vector<std::string> told;
  const Service api = explained(plain(), mock).with_sink([&](const Explanation& explanation) {
    told.push_back(explanation.text().substr(0, 24));
  });
  const auto call = [](const Service& service, const char* url) -> Task<> {
    (void)co_await service(get(url)).result();
  };
  {
    Scope scope(sim.reactor());
    scope.spawn(call(api, "http://h/a"));
    scope.spawn(call(api, "http://h/b"));
    sim.advance(50ms);
    CHECK(told == std::vector<std::string>{"GET http://h/b: 200 afte"});
  }
  sim.advance(1s);
  CHECK(told.size() == 1);
}
