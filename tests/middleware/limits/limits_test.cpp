// ConcurrencyLimit, RateLimit, BodyLimit, RequestId, ErrorResponses.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/limits/body_limit.h>
#include <escapement/middleware/limits/concurrency_limit.h>
#include <escapement/middleware/limits/rate_limit.h>
#include <escapement/middleware/observe/request_id.h>
#include <escapement/middleware/server/error_responses.h>

#include "support/answers.h"
#include "support/from_peer.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::MockService;
using escapement::test::pieces;
using escapement::test::request;
using escapement::test::Step;

namespace {

// "STATUS@MILLISECONDS" of each call, in the order in which they end.
Task<> note(const Service& service, Sim& sim, std::vector<std::string>& log) {
  Answer answer = co_await ask(service, request("GET", "/"));
  log.push_back(std::to_string(answer.status) + '@' + std::to_string(sim.elapsed() / Duration(1ms)));
}

}  // namespace

TEST_CASE("concurrency limit: so many run, so many wait, the others are refused at once") {
  Sim sim;
  MockService mock(sim, {Step(200, {}, 100ms)});
  const ConcurrencyLimit limit({.running_max = 2, .waiting_max = 2, .wait_max = 10s});
  const Service service = layered(limit, mock);
  std::vector<std::string> log;
  Scope scope(sim.reactor());
  for (int i = 0; i < 5; ++i) scope.spawn(note(service, sim, log));
  sim.settle();
  CHECK(limit.running() == 2);
  CHECK(limit.waiting() == 2);
  sim.advance(1s);
  CHECK(log == std::vector<std::string>{"503@0", "200@100", "200@100", "200@200", "200@200"});
  CHECK(limit.running() == 0);
  CHECK(limit.waiting() == 0);
}

TEST_CASE("concurrency limit: a permit is held to the end of the body") {
  Sim sim;
  const Service slow_body = [](Request) -> Task<Response> {
    co_return Response(200, pieces({"a", "b"}, 100ms));
  };
  const ConcurrencyLimit limit({.running_max = 1, .waiting_max = 8, .wait_max = 10s});
  const Service service = layered(limit, slow_body);
  std::vector<std::string> log;
  Scope scope(sim.reactor());
  for (int i = 0; i < 3; ++i) scope.spawn(note(service, sim, log));
  sim.advance(1s);
  CHECK(log == std::vector<std::string>{"200@300", "200@600", "200@900"});
}

TEST_CASE("concurrency limit: who waits too long is refused; who leaves gives up its place and its permit") {
  Sim sim;
  MockService mock(sim, {Step(200, {}, 3s)});
  const ConcurrencyLimit limit({.running_max = 1, .waiting_max = 1, .wait_max = 1s});
  const Service service = layered(limit, mock);
  std::vector<std::string> log;
  Scope scope(sim.reactor());
  {
    Scope leaving(sim.reactor());
    leaving.spawn(note(service, sim, log));
    sim.settle();
    scope.spawn(note(service, sim, log));
    sim.advance(1500ms);
    CHECK(log == std::vector<std::string>{"503@1000"});
    leaving.spawn(note(service, sim, log));
    sim.settle();
    CHECK(limit.waiting() == 1);
  }
  CHECK(limit.running() == 0);
  CHECK(limit.waiting() == 0);
  MockService failing(sim, {Step(Error(Errc::internal, "x"))});
  CHECK(sim.run(layered(limit, failing)(request("GET", "/"))).error() == Errc::internal);
  CHECK(limit.running() == 0);
}

TEST_CASE("rate limit: a bucket for each client, refilled all the time") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  RateLimits limits;
  limits.per_second = 2;
  limits.burst = 3;
  const Service service = layered(RateLimit(limits), mock);
  const auto from = [&](const char* peer) {
    Request asking = request("GET", "/");
    test::FromPeer there(peer);
    asking.server_side = &there;
    const Answer answer = *sim.run(ask(service, std::move(asking)));
    return answer.status == 429 ? "429 " + answer.field("retry-after") : std::to_string(answer.status);
  };
  for (int i = 0; i < 3; ++i) CHECK(from("10.0.0.1:1000") == "200");
  CHECK(from("10.0.0.1:1001") == "429 1");
  CHECK(from("10.0.0.2:1000") == "200");
  sim.advance(499ms);
  CHECK(from("10.0.0.1:1002") == "429 1");
  sim.advance(1ms);
  CHECK(from("10.0.0.1:1002") == "200");
  CHECK(from("10.0.0.1:1002") == "429 1");
  sim.advance(1h);
  for (int i = 0; i < 3; ++i) CHECK(from("10.0.0.1:1000") == "200");
  CHECK(from("10.0.0.1:1000") == "429 1");
}

TEST_CASE("rate limit: Retry-After is when the request would pass; clients remembered are bounded") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  RateLimits limits;
  limits.per_second = 0.1;
  limits.burst = 1;
  limits.keys_max = 3;
  limits.key = [](const Request& request) { return request.url.path(); };
  const RateLimit layer(limits);
  const Service service = layered(layer, mock);
  const auto of = [&](const char* path) {
    const Answer answer = *sim.run(ask(service, request("GET", path)));
    return answer.status == 429 ? "429 " + answer.field("retry-after") : std::to_string(answer.status);
  };
  CHECK(of("/a") == "200");
  sim.advance(1s);
  CHECK(of("/a") == "429 9");
  sim.advance(8'999ms);
  CHECK(of("/a") == "429 1");
  sim.advance(1ms);
  CHECK(of("/a") == "200");
  for (const char* path : {"/b", "/c"}) CHECK(of(path) == "200");
  CHECK(of("/a") == "429 10");
  CHECK(of("/d") == "200");  // /b, not seen for longest, is forgotten
  CHECK(layer.keys() == 3);
  CHECK(of("/a") == "429 10");
  CHECK(of("/b") == "200");
  sim.advance(1min);
  CHECK(of("/x") == "200");
  CHECK(of("/y") == "200");
  CHECK(layer.keys() <= 3);
}

TEST_CASE("peer address: IPv4 as it is, IPv6 by its network") {
  const auto network = [](const char* peer) {
    Request asking = request("GET", "/");
    test::FromPeer there(peer);
    asking.server_side = &there;
    return peer_address(asking) + ' ' + peer_network(asking);
  };
  CHECK(network("") == " ");
  CHECK(network("10.0.0.1:80") == "10.0.0.1 10.0.0.1");
  CHECK(network("[2001:db8::1]:80") == "2001:db8::1 2001:db8:0:0::");
  CHECK(network("[2001:db8:1:2:3:4:5:6]:80") == "2001:db8:1:2:3:4:5:6 2001:db8:1:2::");
  CHECK(network("[2001::1:2:3:4:5]:80") == "2001::1:2:3:4:5 2001:0:0:1::");
  CHECK(network("[::1]:80") == "::1 0:0:0:0::");
  CHECK(network("[::ffff:10.0.0.1]:80") == "::ffff:10.0.0.1 10.0.0.1");
}

TEST_CASE("body limit: known too long, found too long, and short enough") {
  Sim sim;
  int reached = 0;
  const Service reads = [&](Request request) -> Task<Response> {
    ++reached;
    std::string text = co_await request.body.text(1 * MiB);
    co_return Response(200, text);
  };
  const Service service = layered(BodyLimit{5}, reads);
  const auto post = [&](Body body) {
    return *sim.run(ask(service, request("POST", "/", {}, std::move(body))));
  };
  CHECK(post("12345").body == "12345");
  CHECK(post("123456").status == 413);
  CHECK(reached == 1);
  CHECK(post(pieces({"123", "45"})).body == "12345");
  CHECK(post(pieces({"123", "456"})).status == 413);
  CHECK(reached == 3);
  const Service fails = [](Request) -> Task<Response> { co_return Error(Errc::limit_exceeded, "another"); };
  CHECK(sim.run(layered(BodyLimit{5}, fails)(request("POST", "/", {}, "1"))).error() == Errc::limit_exceeded);
}

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
  CHECK(id_of(Headers{{"X-Request-ID", std::string(129, 'a')}}).size() == 32);
  CHECK(id_of(Headers{{"X-Request-ID", "a"}, {"X-Request-ID", "b"}}).size() == 32);
}

TEST_CASE("catch failure: an answer for every failure but a reset") {
  Sim sim;
  const std::pair<Errc, int> rows[] = {{Errc::timed_out, 504},  {Errc::unavailable, 502},
                                       {Errc::overloaded, 503}, {Errc::internal, 500},
                                       {Errc::exception, 500},  {Errc::bad_message, 500}};
  for (const auto& [code, status] : rows) {
    std::string told;
    ErrorResponses layer;
    layer.tell = [&](const Error& error) { told = error.message(); };
    MockService mock(sim, {Step(Error(code, "secret"))});
    const Answer answer = *sim.run(ask(layered(layer, mock), request("GET", "/")));
    CHECK(answer.status == status);
    CHECK(answer.body.find("secret") == answer.body.npos);
    CHECK(told == "secret");
  }
  MockService resets(sim, {Step(Error(Errc::reset, "x"))});
  CHECK(sim.run(layered(ErrorResponses{}, resets)(request("GET", "/"))).error() == Errc::reset);
  ErrorResponses pages;
  pages.page = [](int status) { return Response(status, "page " + std::to_string(status)); };
  MockService fails(sim, {Step(Error(Errc::internal, "x"))});
  CHECK(sim.run(ask(layered(pages, fails), request("GET", "/")))->body == "page 500");
}
