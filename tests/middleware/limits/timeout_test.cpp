// Timeout: which of the limits it was, whom the call was for, which attempt was under way, and what was sent.

#include <escapement/middleware/limits/timeout.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/progress.h>
#include <escapement/middleware/client/hedge.h>
#include <escapement/middleware/client/retry.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using namespace escapement::test;

namespace {

Request request(const char* method, Body body = {}) {
  return Request(method, *Url::parse("http://h/a"), {}, std::move(body));
}

std::string told(const Result<Response>& outcome) {
  return outcome ? std::to_string(outcome->status) : std::string(name(outcome.error().code()));
}

Error failure(Sim& sim, const Service& service, Request request) {
  Result<Response> outcome = sim.run(service(std::move(request)));
  REQUIRE(!outcome);
  return std::move(outcome).error();
}

// A network in which connecting to "h" gets no answer.
void make_hole(Sim& sim) {
  sim.network().add_host("h");
  SimFaults hole;
  hole.black_hole = true;
  sim.network().set_faults("h", hole);
}

}  // namespace

TEST_CASE("timeout: outside a Retry it is the overall limit, inside the limit of one attempt") {
  Sim sim;
  MockService hangs(sim, {Step::hang()});
  Error error = failure(sim, layered(Timeout{2s}, Retry::doubling(3), hangs), request("GET"));
  CHECK(error.limit() == TimeLimit::overall);
  CHECK(error.limit_length() == 2s);
  CHECK(error.elapsed() == 2s);
  CHECK(error.peer() == "http://h");
  CHECK(error.maybe_sent());  // nothing is known of what this service does
  CHECK(to_string(error) == "timed_out: http://h: no response within 2s");

  error = failure(sim, layered(Retry::doubling(3), Timeout{250ms}, hangs), request("GET"));
  CHECK(error.limit() == TimeLimit::per_try);
  CHECK(error.limit_length() == 250ms);
  CHECK(error.attempt() == 3);
  CHECK(to_string(error) == "timed_out: http://h: no response within 250ms (attempt 3)");

  // A body that streams is sent once: that is one attempt, and the only one.
  class Streaming final : public BodySource {
   public:
    Task<std::string> read() override { co_return std::string(); }
  };
  error = failure(sim, layered(Retry::doubling(3), Timeout{250ms}, hangs),
                  request("PUT", Body(std::make_unique<Streaming>())));
  CHECK(error.limit() == TimeLimit::per_try);
  CHECK(error.limit_length() == 250ms);
  CHECK(error.attempt() == 1);

  error = failure(sim, layered(Timeout{1s}, Retry::doubling(3), Timeout{700ms}, hangs), request("GET"));
  CHECK(error.limit() == TimeLimit::overall);
  CHECK(error.attempt() == 2);
  CHECK(to_string(error) == "timed_out: http://h: no response within 1s (attempt 2)");
}

TEST_CASE("timeout: what timed out inside stays what it is") {
  Sim sim;
  MockService fails(sim,
                    {Step(Error(Errc::timed_out, "x").ran_out(TimeLimit::overall, 1s, 1s).with_peer("p"))});
  CHECK(to_string(failure(sim, layered(Timeout{2s}, fails), request("GET"))) == "timed_out: x");
  MockService hangs(sim, {Step::hang()});
  const Error inner = failure(sim, layered(Timeout{2s}, Timeout{1s}, hangs), request("GET"));
  CHECK(inner.limit_length() == 1s);
  CHECK(to_string(inner) == "timed_out: http://h: no response within 1s");
}

TEST_CASE("timeout: over a Client it says what the call was doing, and whether anything was sent") {
  Sim sim(Seed{3});
  make_hole(sim);
  const Client client(sim.network());
  Error error = failure(sim, layered(Timeout{1s}, client), request("POST", "x"));
  CHECK(to_string(error) == "timed_out: http://h: no response within 1s; it was connecting");
  CHECK_FALSE(error.maybe_sent());

  // So a POST whose attempts never got as far as sending is tried again.
  error = failure(sim, layered(Retry::doubling(3), Timeout{250ms}, client), request("POST", "x"));
  CHECK(to_string(error) == "timed_out: http://h: no response within 250ms; it was connecting (attempt 3)");
  CHECK_FALSE(error.maybe_sent());

  Result<std::unique_ptr<Listener>> silent = sim.network().listen("s:80");
  REQUIRE(silent);
  const Request to_silent("POST", *Url::parse("http://s/"), {}, {});
  error = failure(sim, layered(Retry::doubling(3), Timeout{250ms}, client), to_silent.copy_without_body());
  CHECK(to_string(error) == "timed_out: http://s: no response within 250ms; it was waiting for the response");
  CHECK(error.maybe_sent());
  CHECK(error.attempt() == 1);  // it may have been sent: a POST is not tried again
}

TEST_CASE("timeout: the overall limit knows what was sent by earlier attempts") {
  Sim sim(Seed{3});
  make_hole(sim);
  const Client client(sim.network());
  Result<std::unique_ptr<Listener>> silent = sim.network().listen("s:80");
  REQUIRE(silent);
  // The first attempt goes to a server that does not answer, the next ones to where nobody is reached.
  int asked = 0;
  const Service moves = [&](Request request) {
    if (asked++ == 0) request.url = *Url::parse("http://s/");
    return client(std::move(request));
  };
  const Error error =
      failure(sim, layered(Timeout{700ms}, Retry::doubling(5), Timeout{400ms}, moves), request("PUT", "x"));
  CHECK(error.limit() == TimeLimit::overall);
  CHECK(error.attempt() == 2);
  CHECK(error.maybe_sent());
  CHECK(to_string(error) == "timed_out: http://h: no response within 700ms; it was connecting (attempt 2)");
}

TEST_CASE("timeout: the limit of an attempt does not run in the queue of a pool; the queue's own does") {
  Sim sim(Seed{3});
  Result<std::unique_ptr<Listener>> silent = sim.network().listen("s:80");
  REQUIRE(silent);
  ClientOptions options;
  options.connections_per_host_max = 1;
  options.queue_timeout = 1s;
  const Client client(sim.network(), options);
  const Service first = layered(Timeout{600ms}, client);
  const Service second = layered(Retry::doubling(1), Timeout{250ms}, client);
  const Request to_silent("GET", *Url::parse("http://s/"), {}, {});
  Scope scope(sim.reactor(), nullptr);
  std::optional<Error> failure;
  std::optional<Error> refused;
  Instant failed;
  scope.spawn(
      [&]() -> Task<> { Result<Response> ignored = co_await first(to_silent.copy_without_body()).result(); });
  scope.spawn([&]() -> Task<> {
    Result<Response> outcome = co_await second(to_silent.copy_without_body()).result();
    failure = outcome.error();
    failed = sim.reactor().now();
  });
  const Instant began = sim.reactor().now();
  Result<> joined = sim.run(scope.join());
  REQUIRE(failure);
  CHECK(failure->limit() == TimeLimit::per_try);
  CHECK(failure->maybe_sent());
  CHECK(failure->elapsed() >= 250ms);
  CHECK(failure->elapsed() < 300ms);
  CHECK(failed - began >= 850ms);  // 600 ms in the queue, then its own 250
  CHECK(failed - began < 900ms);

  const Service holds = layered(Timeout{5s}, client);
  scope.spawn(
      [&]() -> Task<> { Result<Response> ignored = co_await holds(to_silent.copy_without_body()).result(); });
  scope.spawn([&]() -> Task<> {
    Result<Response> outcome = co_await second(to_silent.copy_without_body()).result();
    refused = outcome.error();
  });
  joined = sim.run(scope.join());
  REQUIRE(refused);
  CHECK(refused->limit() == TimeLimit::queue);
  CHECK_FALSE(refused->maybe_sent());
}

namespace {

// Notes how each attempt fails: "1 per_try sent @250".
struct NoteFailures {
  Task<Response> operator()(Request request, const Service& next) const {
    Reactor& reactor = co_await this_reactor;
    const std::string attempt = std::to_string(request.attempt);
    Result<Response> outcome = co_await next(std::move(request)).result();
    if (!outcome) {
      const Error& error = outcome.error();
      CHECK(std::to_string(error.attempt()) == attempt);
      const std::string ms = std::to_string((reactor.now() - began).count() / 1'000'000);
      *notes += attempt + ' ' + std::string(name(error.limit())) + (error.maybe_sent() ? " sent @" : " @") +
                ms + ' ';
    }
    co_return std::move(outcome);
  }
  std::string* notes;
  Instant began;
};

}  // namespace

TEST_CASE("timeout: attempts side by side have each their own time in the queue, and what they have sent") {
  Sim sim(Seed{3});
  Result<std::unique_ptr<Listener>> silent = sim.network().listen("s:80");
  REQUIRE(silent);
  ClientOptions options;
  options.connections_per_host_max = 1;
  const Client client(sim.network(), options);
  const Request to_silent("GET", *Url::parse("http://s/"), {}, {});
  std::string notes;
  Scope scope(sim.reactor(), nullptr);
  const Service first = layered(Timeout{600ms}, client);
  const NoteFailures note{&notes, sim.reactor().now()};
  const Service hedged = layered(Timeout{10s}, Hedge{100ms, 2}, note, Timeout{250ms}, client);
  SECTION("both wait for the connection of another call") {
    scope.spawn([&]() -> Task<> {
      Result<Response> ignored = co_await first(to_silent.copy_without_body()).result();
    });
    sim.settle();
    const Error last = failure(sim, hedged, to_silent.copy_without_body());
    CHECK(notes == "1 per_try sent @850 2 per_try sent @1100 ");
    CHECK(last.elapsed() == 250ms);
  }
  SECTION("the second waits for the connection of the first") {
    const Error last = failure(sim, hedged, to_silent.copy_without_body());
    CHECK(notes == "1 per_try sent @250 2 per_try sent @500 ");
    CHECK(last.elapsed() == 250ms);
  }
  SECTION("the whole call knows of all of them") {
    const Service hasty = layered(Timeout{150ms}, Hedge{100ms, 2}, note, Timeout{250ms}, client);
    const Error late = failure(sim, hasty, to_silent.copy_without_body());
    CHECK(late.limit() == TimeLimit::overall);
    CHECK(late.maybe_sent());
    CHECK(late.attempt() == 2);
    CHECK(to_string(late) ==
          "timed_out: http://s: no response within 150ms; it was waiting for a free connection (attempt 2)");
  }
  SECTION("an outer limit of one attempt does not run until the first of them leaves the queue") {
    scope.spawn([&]() -> Task<> {
      Result<Response> ignored = co_await first(to_silent.copy_without_body()).result();
    });
    sim.settle();
    const Service outer = layered(Retry::doubling(1), Timeout{200ms}, Hedge{100ms, 2}, client);
    const Error late = failure(sim, outer, to_silent.copy_without_body());
    CHECK(late.limit() == TimeLimit::per_try);
    CHECK(late.elapsed() == 200ms);
    CHECK(sim.elapsed() == 800ms);
  }
}

TEST_CASE("progress: what leaves a queue that it was not in has not waited") {
  CallProgress progress;
  progress.leave_queue(Instant() + 5s);
  CHECK(progress.queued == Duration());
  progress.enter_queue(Instant() + 5s);
  progress.leave_queue(Instant() + 7s);
  progress.leave_queue(Instant() + 8s);
  CHECK(progress.queued == 2s);
  CHECK(progress.queued_since == Instant::never());
}

TEST_CASE("timeout: a call that has ended waits for nothing") {
  Sim sim(Seed{3});
  make_hole(sim);
  ClientOptions options;
  options.connect_timeout = 400ms;
  const Client client(sim.network(), options);
  Request asked = request("GET");
  asked.progress = std::make_shared<CallProgress>();
  const std::shared_ptr<CallProgress> progress = asked.progress;
  CHECK(failure(sim, client, std::move(asked)).limit() == TimeLimit::connect);
  CHECK(progress->waits_for == TimeLimit::none);
  CHECK(progress->reported);
  CHECK_FALSE(progress->maybe_sent);
}

TEST_CASE("timeout: exact; an answer in the same turn wins; the call is gone before it is reported") {
  Sim sim;
  MockService at_limit(sim, {Step(200, {}, 250ms)});
  CHECK(told(sim.run(layered(Timeout{250ms}, at_limit)(request("GET")))) == "200");
  MockService late(sim, {Step(200, {}, 251ms)});
  auto run = [&]() -> Task<bool> {
    const Service service = layered(Timeout{250ms}, late);
    Result<Response> outcome = co_await service(request("GET")).result();
    co_return !outcome && late.live() == 0;
  };
  CHECK(*sim.run(run()));
  CHECK(sim.elapsed() == 500ms);
}
