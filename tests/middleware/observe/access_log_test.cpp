// AccessLog: its lines for requests that end in every way.

#include <escapement/middleware/observe/access_log.h>

#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/middleware/observe/metrics.h>
#include <escapement/timers/timeout.h>

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

Request browser_request(const char* method = "GET", const char* target = "/a?token=s&page=2&flag") {
  Request asking =
      request(method, target,
              Headers{{"Referer", "http://r/?key=s"}, {"User-Agent", "u\"a\n"}, {"Authorization", "s"}});
  static test::FromPeer there("[2001:db8::1]:5000");
  asking.context = http::RequestContext(there);
  asking.target = target;
  return asking;
}

struct Logged {
  explicit Logged(Sim& s) : sim(s) {}
  std::string line(AccessLog log, const Service& service, Request asking, Duration limit = 1h) {
    lines.clear();
    log.sink = [this](std::string_view line) { lines.emplace_back(line); };
    (void)sim.run(with_timeout(limit, ask(layered(log, service), std::move(asking))));
    REQUIRE(lines.size() == 1);
    return lines[0];
  }
  Sim& sim;
  std::vector<std::string> lines;
};

bool has_line(const std::string& text, const std::string& line) {
  return ('\n' + text).find('\n' + line + '\n') != std::string::npos;
}

}  // namespace

TEST_CASE("access log: the combined format, and nothing that can forge a line") {
  Sim sim;
  Logged logged(sim);
  MockService mock(sim, {Step(200)});
  CHECK(logged.line({}, mock, browser_request()) ==
        "2001:db8::1 - - [01/Jan/2026:00:00:00 +0000] \"GET /a?token=s&page=2&flag HTTP/1.1\" 200 8 "
        "\"http://r/?key=s\" \"u\\x22a\\x0a\"");
  AccessLog names;
  names.query = LoggedQuery::names;
  CHECK(logged.line(names, mock, browser_request())
            .find("\"GET /a?token=*&page=*&flag HTTP/1.1\" 200 8 "
                  "\"http://r/?key=*\"") != std::string::npos);
  AccessLog none;
  none.query = LoggedQuery::none;
  CHECK(logged.line(none, mock, browser_request()).find("\"GET /a HTTP/1.1\" 200 8 \"http://r/\"") !=
        std::string::npos);
  Request plain = request("GET", "/");
  plain.minor_version = 0;
  CHECK(logged.line({}, mock, std::move(plain)) ==
        "- - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.0\" 200 8 \"-\" \"-\"");
}

#ifdef __cpp_exceptions
TEST_CASE("access log: what its sink throws is dropped, and the answer goes out") {
  Sim sim;
  MockService mock(sim, {Step(200), Step::hang()});
  AccessLog log;
  int calls = 0;
  log.sink = [&](std::string_view) {
    ++calls;
    throw std::runtime_error("the disk is full");
  };
  const Answer answer = *sim.run(ask(layered(log, mock), browser_request()));
  CHECK(answer.status == 200);
  Result<Answer> late = sim.run(with_timeout(1s, ask(layered(log, mock), browser_request())));
  CHECK(late.error() == Errc::timed_out);
  CHECK(calls == 2);
}
#endif

TEST_CASE("access log and metrics: what the server refused") {
  Sim sim;
  std::vector<std::string> lines;
  AccessLog log;
  log.sink = [&](std::string_view line) { lines.emplace_back(line); };
  const Metrics metrics;
  const Service at_once = [](Request) -> Task<Response> { co_return Response(200); };
  Server server(layered(log, metrics, at_once));
  server.on_refused = [&](const Refusal& refusal) {
    log.refused(sim.reactor(), refusal);
    metrics.refused(refusal);
  };
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  for (const char* asked : {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\n\r\n"}) {
    std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
    REQUIRE(sim.run(stream->write(as_bytes(std::string_view(asked)))));
    sim.advance(1s);
  }
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].ends_with(" - - [01/Jan/2026:00:00:00 +0000] \"-\" 400 0 \"-\" \"-\""));
  CHECK(lines[1].find(" \"-\" 505 ") != std::string::npos);
  CHECK(has_line(metrics.sample().text(), "http_requests_total{method=\"none\",status=\"400\"} 1"));
  log.format = json_line;
  log.refused(sim.reactor(), {408, "[::1]:80"});
  CHECK(lines[2] ==
        "{\"time\":\"2026-01-01T00:00:02.000Z\",\"peer\":\"::1\",\"status\":408,\"bytes\":0,\"whole\":false,"
        "\"duration_ms\":0.000}");
}

TEST_CASE("access log: JSON with duration, bytes and how it ended") {
  Sim sim;
  Logged logged(sim);
  AccessLog json;
  json.format = json_line;
  const Service streams = [](Request) -> Task<Response> {
    co_return Response(201, Headers{{"X-Request-Id", "id7"}}, pieces({"abc", "de"}, 500ms));
  };
  CHECK(
      logged.line(json, streams, browser_request("POST", "/p")) ==
      "{\"time\":\"2026-01-01T00:00:00.000Z\",\"peer\":\"2001:db8::1\",\"method\":\"POST\",\"target\":\"/p\","
      "\"version\":\"1.1\",\"status\":201,\"bytes\":5,\"whole\":true,\"duration_ms\":1500.000,"
      "\"referer\":\"http://r/?key=s\",\"user_agent\":\"u\\\"a\\u000a\",\"request_id\":\"id7\"}");
  const auto says = [&](const Service& service, const char* what, Duration limit = 1h,
                        const char* method = "GET") {
    const std::string line = logged.line(json, service, browser_request(method), limit);
    CAPTURE(line);
    CHECK(line.find(what) != line.npos);
  };
  says(streams, "\"status\":201,\"bytes\":3,\"whole\":false,\"duration_ms\":700.000", 700ms);
  const Service breaks = [](Request) -> Task<Response> {
    co_return Response(200, pieces({"abc"}, {}, true));
  };
  says(breaks, "\"status\":200,\"bytes\":3,\"whole\":false");
  says(MockService(sim, {Step(Error(Errc::internal, "why"))}), "\"status\":500,\"bytes\":0,\"whole\":false");
  says(MockService(sim, {Step(Error(Errc::internal, "why"))}), "\"error\":\"internal: why\"");
  says(MockService(sim, {Step(Error(Errc::timed_out, "x"))}), "\"status\":503");
  says(MockService(sim, {Step(Error(Errc::reset, "x"))}), "\"status\":444");
  says(MockService(sim, {Step::hang()}),
       "\"status\":499,\"bytes\":0,\"whole\":false,\"duration_ms\":2000.000", 2s);
  says(MockService(sim, {Step(304)}), "\"status\":304,\"bytes\":0,\"whole\":true");
}
