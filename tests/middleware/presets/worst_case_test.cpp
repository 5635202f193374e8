// The most that a stack can send, found and proved; stacks from text; and three tiers that each retry.

#include <escapement/middleware/presets/worst_case.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/tiered_retry.h>
#include <escapement/middleware/presets/resilient.h>
#include <escapement/middleware/presets/stack_text.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

WorstCase worst(const char* text, std::size_t runs_max = 3000) {
  WorstCaseOptions options;
  options.runs_max = runs_max;
  return worst_case([text](Service peer) { return stack_of(text, std::move(peer))->service; }, options);
}

Task<Response> status(int number, Headers headers) { co_return Response(number, std::move(headers), Body()); }

Task<Response> ok(Request) { co_return Response(200); }

std::uint64_t bound(const char* text) { return stack_of(text, ok)->attempts_max; }

}  // namespace

TEST_CASE("worst case: found by simulation, it is what the settings allow") {
  const WorstCase one = worst("timeout 2s, retry jitter=none attempts=3, timeout 250ms");
  CHECK(one.complete);
  CHECK(!one.endless);
  CHECK(one.requests == 3);
  CHECK(one.time == 1050ms);
  CHECK(one.time_by == std::vector<std::string>{"no response", "no response", "no response"});
  const WorstCase hops = worst("redirect hops=4, timeout 1s", 20'000);
  CHECK(hops.requests == 5);
  CHECK(hops.requests_by == std::vector<std::string>(5, "302 Location: /"));
  CHECK(hops.time == 1s);
  const WorstCase both = worst("timeout 10min, retry jitter=none, redirect hops=2, timeout 1s");
  CHECK(both.requests == 9);
  CHECK(bound("timeout 10min, retry jitter=none, redirect hops=2, timeout 1s") == 9);
  CHECK(worst("retry").endless);  // no limit, and no response
  CHECK(worst("timeout 1s, retry attempts=9 jitter=none", 20).runs <= 20);
  CHECK(!worst("timeout 1s, retry attempts=9 jitter=none", 20).complete);
  CHECK(worst("timeout 1s, retry budget=0 jitter=none").requests == 1);
}

TEST_CASE("worst case: a body that breaks is resumed, which the bound counts") {
  WorstCaseOptions options;
  options.outcomes = {usual_outcomes()[1], usual_outcomes().back(), body_breaks()};
  const char* const text = "resume requests=2, redirect hops=0, retry jitter=none attempts=2";
  const auto stack = [text](Service peer) { return stack_of(text, std::move(peer))->service; };
  const WorstCase found = worst_case(stack, options);
  CHECK(found.complete);
  CHECK(found.requests == 6);
  CHECK(found.requests_by == std::vector<std::string>{"500", "body breaks", "500", "500", "500", "500"});
  CHECK(bound(text) == 6);
}

TEST_CASE("worst case: the bound of resilient is what it can send, if its budget allows that") {
  auto requests = std::make_shared<int>(0);
  const auto respond = [requests, breaks = body_breaks()](const Request& request) {
    const int at = ++*requests % 33;
    if (at == 0) return breaks.respond(request);
    return at % 3 == 0 ? status(302, Headers{{"Location", "/"}}) : status(503, {});
  };
  WorstCaseOptions options;
  options.outcomes = {PeerOutcome("the worst", respond)};
  const WorstCase found = worst_case(
      [](Service peer) {
        RetryBudgetOptions rich;
        rich.per_second_min = 1000;
        ResilientOptions preset;
        preset.budget = RetryBudget(rich);
        return resilient(std::move(peer), preset);
      },
      options);
  CHECK(found.requests == 11 * 11 * 3);
  CHECK(bound("resilient") == 11 * 11 * 3);
}

TEST_CASE("worst case: with bodies that break, the search finds all that resilient can send") {
  WorstCaseOptions options;
  options.outcomes.insert(options.outcomes.begin(), body_breaks());
  options.runs_max = 6000;
  Result<StackText> read = stack_of("resilient", ok);
  CHECK(read->resumes);
  const WorstCase found = worst_case([](Service peer) { return resilient(std::move(peer)); }, options);
  CHECK(found.requests > 33);
  CHECK(found.requests <= read->attempts_max);
  CHECK(!stack_of("retry, timeout 1s", ok)->resumes);
}

TEST_CASE("stack text: what is wrong is named") {
  const auto fault = [](const char* text) {
    Result<StackText> stack = stack_of(text, ok);
    return stack ? std::string() : stack.error().message();
  };
  CHECK(fault("").empty());
  CHECK(fault("resilient").empty());
  CHECK(fault("base http://h/api, redirect, bearer origin=http://h").empty());
  CHECK(fault("retry budget=0.2 any_method, hedge delay=1s, body_idle 1min").empty());
  CHECK(fault("call_budget budget=0.2, deadline 1s, balance http://a http://b round_robin").empty());
  CHECK(fault("cache validate, retry budget=0.1 budget_min=10, send_deadline margin=1ms").empty());
  CHECK(fault("tiered_retry, balance http://a").empty());
  CHECK(fault("call_budget").find("ratio") != std::string::npos);
  CHECK(fault("balance").find("URLs") != std::string::npos);
  CHECK(fault("retry, cache").find("never right") != std::string::npos);
  CHECK(fault("retri").find("'retri': there is no such layer") != std::string::npos);
  CHECK(fault("retry attempts=x").find("'x' is no whole number") != std::string::npos);
  CHECK(fault("retry attempt=2").find("no setting 'attempt=2'") != std::string::npos);
  CHECK(fault("timeout").find("length of time") != std::string::npos);
  CHECK(fault("timeout 5").find("'5' is no length of time") != std::string::npos);
  CHECK(fault("bearer").find("origin") != std::string::npos);
  CHECK(fault("retry, retry").find("never right") != std::string::npos);
  CHECK(fault("retry jitter=some").find("no such jitter") != std::string::npos);
  CHECK(fault("retry jitter=polly").empty());
  CHECK(fault("retry budget=11").find("from 0 to 10") != std::string::npos);
  CHECK(fault("base h").find("base h") != std::string::npos);
}

namespace {

// A service that calls the next one for each request, as a server's handler does.
Service tier(Service next, bool tiered, const RetryBudget& budget) {
  Service client = next;
  if (tiered) {
    TieredRetry retry;
    retry.retry.budget = budget;
    client = layered(retry, std::move(next));
  } else {
    client = layered(Retry{}, std::move(next));
  }
  return [client](Request received) -> Task<Response> {
    Request sent = get("http://next/");
    carry_retry_attempt(received, sent);
    return client(std::move(sent));
  };
}

struct Load {
  int at_last = 0;                // requests at the last tier during the fault
  int calls = 0;                  // calls of the first one during the fault
  int after = 0;                  // requests at the last tier in the second after it
  int failed_after_a_second = 0;  // calls that failed, begun a second after it or later
  int calls_a_second = 0;
};

Task<> call(const Service& service, bool counted, int& failed) {
  Result<Response> outcome = co_await service(get("http://first/")).result();
  if (counted && (!outcome || outcome->status != 200)) ++failed;
}

// 100 calls a second for 20 s; the last tier fails in the first 10.
Load load_of(bool tiered) {
  Sim sim;
  Load load;
  load.calls_a_second = 100;
  const Service last = [&](Request) -> Task<Response> {
    const bool fault = sim.elapsed() < 10s;
    if (fault) ++load.at_last;
    if (!fault && sim.elapsed() < 11s) ++load.after;
    co_return Response(fault ? 503 : 200);
  };
  RetryBudgetOptions options;
  options.ratio = 0.2;
  options.per_second_min = 0;
  const Service first = tier(tier(tier(last, tiered, RetryBudget(options)), tiered, RetryBudget(options)),
                             tiered, RetryBudget(options));
  Scope scope(sim.reactor());
  for (int i = 0; i < 2000; ++i) {
    if (sim.elapsed() < 10s) ++load.calls;
    scope.spawn(call(first, sim.elapsed() >= 11s, load.failed_after_a_second));
    sim.advance(10ms);
  }
  sim.advance(30s);
  return load;
}

}  // namespace

TEST_CASE("tiered retry: three tiers that each retry put at most 1.2 times the load on the last one") {
  const Load without = load_of(false);
  CHECK(without.at_last >= 20 * without.calls);  // 27 times, but for the end of the fault
  const Load with = load_of(true);
  CHECK(with.at_last > with.calls);
  CHECK(with.at_last <= with.calls * 12 / 10);
  // Normal again within a second of the fault's end: no more requests than calls, but for retries under way.
  CHECK(with.after <= with.calls_a_second * 12 / 10);
  CHECK(with.failed_after_a_second == 0);
}

TEST_CASE("tiered retry: one tier alone retries, and says which attempt it is") {
  Sim sim;
  MockService mock(sim, {Step(503)});
  const Service service = layered(TieredRetry{}, mock);
  CHECK(sim.run(service(get("http://h/")))->status == 503);
  REQUIRE(mock.asked().size() == 3);
  CHECK(mock.asked()[2].headers.get_or(retry_attempt_field, "") == "3");
  Request marked = get("http://h/");
  marked.headers.set(retry_attempt_field, "1");
  CHECK(sim.run(service(std::move(marked)))->status == 503);
  CHECK(mock.asked().size() == 4);
}
