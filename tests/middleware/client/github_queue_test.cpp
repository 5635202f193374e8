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
