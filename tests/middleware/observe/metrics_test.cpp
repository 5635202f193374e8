// Metrics: its figures for requests that end in every way.

#include <escapement/middleware/observe/metrics.h>

#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/middleware/observe/access_log.h>
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

bool has_line(const std::string& text, const std::string& line) {
  return ('\n' + text).find('\n' + line + '\n') != std::string::npos;
}

}  // namespace

TEST_CASE("metrics: requests by method and status, in flight, durations, bytes") {
  Sim sim;
  const Metrics metrics;
  MockService mock(sim, {Step(200), Step(404, {}, 3ms), Step(Error(Errc::internal, "x")), Step::hang()});
  const Service service = layered(metrics, mock);
  for (const char* method : {"GET", "GET", "BREW"}) (void)sim.run(ask(service, request(method, "/")));
  (void)sim.run(with_timeout(2s, ask(service, request("POST", "/"))));
  const Service streams = [](Request) -> Task<Response> { co_return Response(200, pieces({"abc"}, 30ms)); };
  Result<Response> held = sim.run(layered(metrics, streams)(request("GET", "/")));
  std::string text = metrics.sample().text();
  CAPTURE(text);
  CHECK(has_line(text, "# TYPE http_requests_total counter"));
  CHECK(has_line(text, "http_requests_total{method=\"GET\",status=\"200\"} 1"));
  CHECK(has_line(text, "http_requests_total{method=\"GET\",status=\"404\"} 1"));
  CHECK(has_line(text, "http_requests_total{method=\"other\",status=\"500\"} 1"));
  CHECK(has_line(text, "http_requests_total{method=\"POST\",status=\"499\"} 1"));
  CHECK(has_line(text, "http_requests_in_flight 1"));
  CHECK(has_line(text, "http_request_duration_seconds_bucket{le=\"0.0001\"} 2"));
  CHECK(has_line(text, "http_request_duration_seconds_bucket{le=\"0.0025\"} 2"));
  CHECK(has_line(text, "http_request_duration_seconds_bucket{le=\"0.005\"} 3"));
  CHECK(has_line(text, "http_request_duration_seconds_bucket{le=\"+Inf\"} 4"));
  CHECK(has_line(text, "http_request_duration_seconds_sum 2.003"));
  CHECK(has_line(text, "http_request_duration_seconds_count 4"));
  CHECK(has_line(text, "http_response_bytes_total 16"));
  CHECK(sim.run(held->body.text(10)));
  held->body = Body();
  text = metrics.sample().text();
  CHECK(has_line(text, "http_requests_in_flight 0"));
  CHECK(has_line(text, "http_requests_total{method=\"GET\",status=\"200\"} 2"));
  CHECK(has_line(text, "http_response_bytes_total 19"));
}

TEST_CASE("metrics: a duration at the end of a bucket belongs to it") {
  for (const double end : MetricsSample::bucket_ends_ms) {
    CAPTURE(end);
    Sim sim;
    const Metrics metrics;
    const Duration length = std::chrono::duration<double, std::milli>(end);
    MockService mock(sim, {Step(200, {}, length), Step(200, {}, length + Duration::nanoseconds(1))});
    for (int i = 0; i < 2; ++i) (void)sim.run(ask(layered(metrics, mock), request("GET", "/")));
    const MetricsSample sample = metrics.sample();
    for (std::size_t i = 0; i < MetricsSample::bucket_ends_ms.size(); ++i) {
      const bool at = MetricsSample::bucket_ends_ms[i] == end;
      const bool behind = i > 0 && MetricsSample::bucket_ends_ms[i - 1] == end;
      CHECK(sample.durations[i] == (at || behind ? 1u : 0u));
    }
  }
}

TEST_CASE("metrics: others' figures, several samples in one, and the page") {
  Sim sim;
  double connections = 3;
  const Metrics metrics;
  metrics.add("server_connections", "Open\nnow \\.", MetricsSample::Kind::gauge, [&] { return connections; });
  MockService mock(sim, {Step(200)});
  (void)sim.run(ask(layered(metrics, mock), request("GET", "/")));
  const Metrics other;
  other.add("server_connections", "Open.", MetricsSample::Kind::gauge, [] { return 4; });
  other.add("more_total", "More.", MetricsSample::Kind::counter, [] { return 123456789012345; });
  (void)sim.run(ask(layered(other, mock), request("GET", "/")));
  MetricsSample sum = metrics.sample();
  sum.add(other.sample());
  const std::string text = sum.text();
  CAPTURE(text);
  CHECK(has_line(text, "# HELP server_connections Open\\nnow \\\\."));
  CHECK(has_line(text, "# TYPE server_connections gauge"));
  CHECK(has_line(text, "server_connections 7"));
  CHECK(has_line(text, "more_total 123456789012345"));
  CHECK(has_line(text, "http_requests_total{method=\"GET\",status=\"200\"} 2"));
  const Answer page = *sim.run(ask(metrics.page(), request("GET", "/metrics")));
  CHECK(page.field("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(has_line(page.body, "server_connections 3"));
}
