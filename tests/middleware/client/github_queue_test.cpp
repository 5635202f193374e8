// GitHubQueue, request by request in simulated time.

#include <escapement/middleware/client/github_queue.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

Task<> keep_status(const Service& service, Request request, std::vector<int>& statuses) {
  Response response = co_await service(std::move(request));
  statuses.push_back(response.status);
}

// Sends so many requests at once; returns when the mock got them.
std::vector<double> sent(const char* method, int count, GitHubQueueOptions options = {}) {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const Service service = layered(GitHubQueue(options), mock);
  std::vector<int> statuses;
  Scope scope(sim.reactor());
  for (int i = 0; i < count; ++i)
    scope.spawn(keep_status(service, Request(method, *Url::parse("http://h/")), statuses));
  sim.advance(3h);
  CHECK(statuses == std::vector<int>(static_cast<std::size_t>(count), 200));
  return mock.times();
}

}  // namespace

TEST_CASE("GitHub queue: one write a second, 80 a minute and 500 an hour; nothing is early") {
  const std::vector<double> writes = sent("POST", 510);
  CHECK(writes[0] == 0);
  CHECK(writes[1] == 1000);
  CHECK(writes[59] == 59'000);
  CHECK(writes[499] == 499'000);
  CHECK(writes[500] == 3'600'000);  // the first of the hour is over
  GitHubQueueOptions fast;
  fast.between_writes = Duration();
  const std::vector<double> minute = sent("POST", 90, fast);
  CHECK(minute[79] == 0);
  CHECK(minute[80] == 60'000);
}

TEST_CASE("GitHub queue: 900 points a minute, one for a read and five for a write") {
  const std::vector<double> reads = sent("GET", 901);
  CHECK(reads[899] == 0);
  CHECK(reads[900] == 60'000);
  GitHubQueueOptions few;
  few.points_a_minute = 10;
  CHECK(sent("HEAD", 11, few)[10] == 60'000);
  few.between_writes = Duration();
  CHECK(sent("PATCH", 3, few) == std::vector<double>{0, 0, 60'000});
}

TEST_CASE("GitHub queue: so many at once, to the end of their bodies; a write that waits holds up no read") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  GitHubQueueOptions options;
  options.running_max = 1;
  const GitHubQueue queue(options);
  const Service service = layered(queue, mock);
  std::vector<int> statuses;
  Scope scope(sim.reactor());
  {
    Result<Response> first = sim.run(service(get("http://h/")));
    scope.spawn(keep_status(service, get("http://h/"), statuses));
    sim.advance(1h);
    CHECK(mock.asked().size() == 1);
    CHECK(queue.waiting() == 1);
  }
  sim.settle();
  CHECK(statuses.size() == 1);

  scope.spawn(keep_status(service, Request("POST", *Url::parse("http://h/")), statuses));
  scope.spawn(keep_status(service, Request("POST", *Url::parse("http://h/")), statuses));
  scope.spawn(keep_status(service, get("http://h/"), statuses));
  sim.settle();
  CHECK(mock.asked().size() == 4);
  CHECK(mock.asked().back().what == "GET http://h/");
}

TEST_CASE("GitHub queue: while the primary limit is used up nothing is sent") {
  Sim sim;
  MockService mock(sim, {Step(403, Headers{{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                           {"X-RateLimit-Remaining", "0"},
                                           {"X-RateLimit-Reset", "784111807"}}),
                         Step(200)});
  const Service service = layered(GitHubQueue(), mock);
  CHECK(sim.run(service(get("http://h/")))->status == 403);
  sim.advance(10s);
  Result<Response> refused = sim.run(service(get("http://h/")));
  CHECK(refused->status == 429);
  CHECK(refused->headers.get_or("retry-after", "") == "20");
  CHECK(mock.asked().size() == 1);
  sim.advance(20s);
  CHECK(sim.run(service(get("http://h/")))->status == 200);
}

TEST_CASE("GitHub queue: a turn after the deadline is refused at once, and so is one request too many") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  GitHubQueueOptions options;
  options.waiting_max = 1;
  const Service service = layered(GitHubQueue(options), mock);
  CHECK(sim.run(service(Request("POST", *Url::parse("http://h/"))))->status == 200);
  Request hurried("POST", *Url::parse("http://h/"));
  hurried.deadline = sim.reactor().precise_now() + 500ms;
  CHECK(sim.run(service(std::move(hurried)))->status == 503);
  CHECK(sim.elapsed() == Duration());
  std::vector<int> statuses;
  Scope scope(sim.reactor());
  scope.spawn(keep_status(service, Request("POST", *Url::parse("http://h/")), statuses));
  sim.settle();
  CHECK(sim.run(service(get("http://h/")))->status == 503);
}

TEST_CASE(
    "GitHub queue: each primary limit closes by itself: of searches, of code, of GraphQL, of the rest") {
  const auto after = [](const char* method, const char* path, const char* named, const char* later_method,
                        const char* later_path) {
    Sim sim;
    Headers limit{{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                  {"X-RateLimit-Remaining", "0"},
                  {"X-RateLimit-Reset", "784111807"}};
    if (*named != '\0') limit.set("X-RateLimit-Resource", named);
    MockService mock(sim, {Step(403, limit), Step(200)});
    const Service service = layered(GitHubQueue(), mock);
    const auto url = [](const char* of) { return *Url::parse(std::string("https://api.github.com") + of); };
    CHECK(sim.run(service(Request(method, url(path))))->status == 403);
    return sim.run(service(Request(later_method, url(later_path))))->status;
  };
  const char* const search = "/search/issues?q=x";
  CHECK(after("GET", search, "search", "GET", "/repos/o/r") == 200);
  CHECK(after("GET", search, "", "GET", "/repos/o/r") == 200);
  CHECK(after("GET", search, "search", "GET", "/search/code?q=y") == 200);
  CHECK(after("GET", search, "search", "GET", "/search/users?q=y") == 429);
  CHECK(after("GET", "/search/code?q=x", "code_search", "GET", search) == 200);
  CHECK(after("GET", "/search/code?q=x", "", "GET", "/search/code?q=y") == 429);
  CHECK(after("POST", "/graphql", "graphql", "GET", "/user") == 200);
  CHECK(after("POST", "/graphql", "", "POST", "/graphql") == 429);
  CHECK(after("GET", "/user", "core", "POST", "/graphql") == 200);
  CHECK(after("GET", "/user", "core", "GET", "/repos/o/search/issues") == 429);
  CHECK(after("GET", "/user", "core", "GET", "/repos/o/graphql") == 429);
  CHECK(after("GET", "/user", "search", "GET", search) == 429);     // the limit that it names
  CHECK(after("GET", "/user", "audit_log", "GET", "/zen") == 429);  // not known: its own
  CHECK(after("GET", "/api/v3/search/issues", "search", "GET", "/api/v3/user") == 200);
}
