// Deadline, SendDeadline and TakeDeadline: a limit on all of a call, here and at the server.

#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/deadline.h>
#include <escapement/middleware/limits/deadline_field.h>
#include <escapement/middleware/limits/timeout.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using test::MockService;
using test::Step;

namespace {

// Returns the outcome and the time: "200 abc @100", "timed_out(overall) @2000".
std::string ask(Sim& sim, const http::Service& service, http::Request request = http::get("http://h/"),
                Error* error = nullptr) {
  auto call = [](const http::Service& service, http::Request request) -> Task<std::string> {
    http::Response response = co_await service(std::move(request));
    std::string text = co_await response.body.text(1 * MiB);
    co_return std::to_string(response.status) + ' ' + text;
  };
  Result<std::string> result = sim.run(call(service, std::move(request)));
  std::string outcome = result ? *result : std::string(name(result.error().code()));
  if (!result) outcome += '(' + std::string(name(result.error().limit())) + ')';
  if (!result && error != nullptr) *error = result.error();
  return outcome + " @" + std::to_string(sim.elapsed().count() / 1'000'000);
}

}  // namespace

TEST_CASE("deadline: it spans attempts and the waits between them") {
  Sim sim(Seed{1});
  MockService mock(sim, {Step(503, {}, 400ms)});
  http::Retry retry;
  retry.attempts = 10;
  retry.backoff = 300ms;
  retry.jitter = http::Jitter::none;
  const http::Service service = layered(http::Deadline{1s}, retry, mock);
  // The second attempt ends at 1100 ms.
  CHECK(ask(sim, service) == "timed_out(overall) @1000");
  CHECK(mock.times() == std::vector<double>{0, 700});
  CHECK(mock.live() == 0);
}

TEST_CASE("deadline: it spans redirects") {
  Sim sim(Seed{1});
  MockService mock(sim, {Step(302, {{"Location", "/b"}}, 600ms)});
  const http::Service service = layered(http::Deadline{1s}, http::Redirect{}, mock);
  CHECK(ask(sim, service) == "timed_out(overall) @1000");
  CHECK(mock.asked().size() == 2);
}

TEST_CASE("deadline: it spans the body") {
  const auto streaming = [](Duration each) {
    return http::Service([each](http::Request) -> Task<http::Response> {
      co_return http::Response(200, test::pieces({"a", "b", "c"}, each));
    });
  };
  {
    Sim sim(Seed{1});
    CHECK(ask(sim, layered(http::Deadline{400ms}, streaming(100ms))) == "200 abc @400");
  }
  Sim sim(Seed{1});
  Error error(Errc::internal);
  CHECK(ask(sim, layered(http::Deadline{250ms}, streaming(100ms)), http::get("http://h/"), &error) ==
        "timed_out(overall) @250");
  CHECK(to_string(error) == "timed_out: no end of the body within 250ms");
}

TEST_CASE("deadline: an earlier one of the request counts, and one that has passed sends nothing") {
  Sim sim(Seed{1});
  MockService mock(sim, {Step::hang()});
  const http::Service service = layered(http::Deadline{10s}, mock);
  http::Request request = http::get("http://h/");
  request.deadline = sim.reactor().precise_now() + 300ms;
  CHECK(ask(sim, service, std::move(request)) == "timed_out(overall) @300");
  CHECK(mock.asked().size() == 1);

  http::Request late = http::get("http://h/");
  late.deadline = sim.reactor().precise_now() - 1ms;
  Error error(Errc::internal);
  CHECK(ask(sim, service, std::move(late), &error) == "timed_out(overall) @300");
  CHECK(mock.asked().size() == 1);
  CHECK(!error.maybe_sent());
  CHECK(error.peer() == "http://h");

  const http::Service unlimited =
      layered(http::Deadline{Duration::max()}, MockService(sim, {Step(200, {}, 1h)}));
  CHECK(ask(sim, unlimited) == "200 answer 1 @3600300");
}

TEST_CASE("deadline field: each attempt says what is left") {
  Sim sim(Seed{1});
  MockService mock(sim, {Step(503, {}, 100ms), Step(200)});
  http::Retry retry;
  retry.backoff = 200ms;
  retry.jitter = http::Jitter::none;
  CHECK(ask(sim, layered(http::Deadline{2s}, retry, http::SendDeadline{}, mock)) == "200 answer 2 @300");
  REQUIRE(mock.asked().size() == 2);
  CHECK(mock.asked()[0].headers.get_or("x-request-timeout-ms", "") == "2000");
  CHECK(mock.asked()[1].headers.get_or("x-request-timeout-ms", "") == "1700");

  MockService other(sim, {Step(200)});
  http::SendDeadline mine;
  mine.field = "Budget";
  mine.margin = 100ms;
  CHECK(ask(sim, layered(http::Deadline{2s}, mine, other)).starts_with("200"));
  CHECK(other.asked()[0].headers.get_or("budget", "") == "1900");
  // Without a deadline there is nothing to say.
  CHECK(ask(sim, layered(mine, other)).starts_with("200"));
  CHECK(!other.asked()[1].headers.has("budget"));
  // Too little is left.
  Error error(Errc::internal);
  CHECK(ask(sim, layered(http::Deadline{100ms}, mine, other), http::get("http://h/"), &error)
            .starts_with("timed_out(overall)"));
  CHECK(!error.maybe_sent());
  CHECK(other.asked().size() == 2);
}

TEST_CASE("deadline field: the server stops then, and hands the deadline on") {
  struct Row {
    http::Headers headers;
    const char* outcome;
  };
  const auto with = [](const char* value) { return http::Headers{{"X-Request-Timeout-Ms", value}}; };
  http::Headers two = with("100");
  two.add("X-Request-Timeout-Ms", "200");
  const Row rows[] = {
      {with("300"), "504 the request's deadline has passed\n @300"},
      {with("0"), "504 the request's deadline has passed\n @0"},
      {with("700"), "200 done @500"},
      {with("99999999999999999999"), "200 done @500"},
      {with("-1"), "200 done @500"},
      {with("soon"), "200 done @500"},
      {with(""), "200 done @500"},
      {two, "200 done @500"},
      {{}, "200 done @500"},
  };
  for (const Row& row : rows) {
    Sim sim(Seed{1});
    Instant told = Instant::never();
    auto work = [&sim, &told](http::Request request) -> Task<http::Response> {
      told = request.deadline;
      co_await sleep(500ms);
      co_return http::Response(200, "done");
    };
    http::Request request = http::get("http://h/");
    request.headers = row.headers;
    const Instant began = sim.reactor().precise_now();
    CHECK(ask(sim, layered(http::TakeDeadline{}, http::Service(work)), std::move(request)) == row.outcome);
    if (std::string_view(row.outcome).ends_with("@300")) CHECK(told == began + 300ms);
  }
  // The server limits the time that a client may ask for.
  Sim sim(Seed{1});
  http::TakeDeadline brief;
  brief.longest = 100ms;
  http::Request request = http::get("http://h/");
  request.headers = with("5000");
  MockService slow(sim, {Step(200, {}, 1s)});
  CHECK(ask(sim, layered(brief, slow), std::move(request)).ends_with("@100"));
  CHECK(slow.live() == 0);
}

TEST_CASE("deadline field: over a connection, a server's handler is gone when its client is") {
  Sim sim(Seed{1});
  Scope scope(sim.reactor(), [](Error) {});
  MockService work(sim, {Step::hang()});
  http::Server server(layered(http::TakeDeadline{}, work));
  std::unique_ptr<Listener> listener = *sim.network().listen("s:80");
  scope.spawn(server.serve(std::move(listener)));
  sim.settle();
  http::Client client(sim.network());
  // The server hears of it later, but counts from then: it has the margin, and stops before the client does.
  http::SendDeadline early;
  early.margin = 50ms;
  const http::Service service = layered(http::Deadline{1s}, early, client);
  CHECK(ask(sim, service, http::get("http://s/")) == "504 the request's deadline has passed\n @950");
  CHECK(work.live() == 0);
  scope.cancel();
}
