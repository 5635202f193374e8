// Tracer and its sinks: spans of requests, attempts and phases, in simulated time.

#include <escapement/middleware/observe/tracer.h>

#include <map>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/progress.h>
#include <escapement/io/http/server.h>
#include <escapement/middleware/client/hedge.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/observe/otlp_exporter.h>
#include <escapement/middleware/observe/span_printer.h>

#include "support/answers.h"
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

class Kept final : public SpanSink {
 public:
  void add(const Span& span) override { spans.push_back(span); }
  const Span& named(std::string_view name) const {
    for (const Span& span : spans) {
      if (span.name == name) return span;
    }
    FAIL("no span " << name);
    return spans.front();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Span& span : spans) names.push_back(span.name);
    return names;
  }
  std::vector<Span> spans;
};

std::string text_of(const Span& span, std::string_view name) {
  for (const SpanAttribute& attribute : span.attributes) {
    if (attribute.name != name) continue;
    return attribute.number ? std::to_string(*attribute.number) : attribute.text;
  }
  return "none";
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("traceparent: the specification's example, and what is none") {
  const std::string example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const std::optional<TraceContext> context = TraceContext::parse(example);
  REQUIRE(context);
  CHECK(context->sampled);
  CHECK(context->text() == example);
  CHECK(id_text(context->trace_id) == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK_FALSE(TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02")->sampled);
  CHECK(TraceContext::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  CHECK(TraceContext::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what"));
  for (const char* bad : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                          "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    INFO(bad);
    CHECK_FALSE(TraceContext::parse(bad));
  }
}

TEST_CASE("tracer: a request with its attempts, in one trace, to the end of the body") {
  Sim sim;
  auto kept = std::make_shared<Kept>();
  const Tracer tracer(kept);
  MockService mock(sim, {Step(503, {}, 50ms), Step(200, {}, 200ms)});
  const Service service = layered(tracer, Retry::doubling(3), tracer, mock);
  CHECK(sim.run(ask(service, get("http://h/x")))->status == 200);
  CHECK(kept->names() == Names{"attempt 1", "attempt 2", "GET"});
  const Span& whole = kept->named("GET");
  CHECK(whole.local_root);
  CHECK_FALSE(whole.parent);
  CHECK(whole.duration == 350ms);
  CHECK_FALSE(whole.failed);
  CHECK(text_of(whole, "http.response.status_code") == "200");
  CHECK(text_of(whole, "server.address") == "h");
  CHECK(text_of(whole, "http.response.body.size") == "8");
  const Span& first = kept->named("attempt 1");
  CHECK(first.parent == whole.context.span_id);
  CHECK(first.context.trace_id == whole.context.trace_id);
  CHECK(first.duration == 50ms);
  CHECK(first.failed);
  const Span& second = kept->named("attempt 2");
  CHECK(text_of(second, "http.request.resend_count") == "1");
  CHECK(second.began_ns - whole.began_ns == 150'000'000);
  CHECK(mock.asked()[1].headers.get_or("traceparent", "") == second.context.text());
}

TEST_CASE("tracer: a failure, a cancelled call, and a body that is given up say so") {
  Sim sim;
  auto kept = std::make_shared<Kept>();
  MockService mock(sim, {Step(Error(Errc::reset, "broken")), Step::hang()});
  const Service service = layered(Timeout{1s}, Tracer(kept), mock);
  CHECK(sim.run(ask(service, get("http://h/")))->error == "reset: broken");
  CHECK(sim.run(ask(service, get("http://h/")))->error.starts_with("timed_out"));
  CHECK(kept->spans[0].error == "reset: broken");
  CHECK(text_of(kept->spans[0], "error.type") == "reset");
  CHECK(text_of(kept->spans[1], "error.type") == "cancelled");
  CHECK(kept->spans[1].duration == 1s);
  const Service streaming = layered(Tracer(kept), Service([](Request) -> Task<Response> {
                                      co_return Response(200, pieces({"12345", "67890"}, 1ms));
                                    }));
  auto part = [&]() -> Task<> {
    Response response = co_await streaming(get("http://h/"));
    std::string bytes = co_await response.body.read();
    CHECK(bytes == "12345");
  };
  CHECK(sim.run(part()));
  CHECK(text_of(kept->spans[2], "error.type") == "incomplete");
  CHECK(text_of(kept->spans[2], "http.response.body.size") == "5");
}

TEST_CASE("tracer: phases, as the client reports them") {
  Sim sim;
  auto kept = std::make_shared<Kept>();
  const Service slow = [](Request) -> Task<Response> {
    co_await sleep(100ms);
    co_return Response(200, pieces({"a", "b"}, 20ms));
  };
  Server server(slow);
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "h:80"));
  sim.settle();
  const Service service = layered(Tracer(kept), Client(sim.network()));
  CHECK(sim.run(ask(service, get("http://h/")))->body == "ab");
  CHECK(kept->names() == Names{"connect", "write", "wait", "read", "GET"});
  const Span& whole = kept->named("GET");
  std::int64_t end = whole.began_ns;
  for (const char* name : {"connect", "write", "wait", "read"}) {
    const Span& phase = kept->named(name);
    CHECK(phase.parent == whole.context.span_id);
    CHECK(phase.began_ns >= end);
    end = phase.began_ns + phase.duration.count();
  }
  CHECK(end <= whole.began_ns + whole.duration.count());
  CHECK(kept->named("wait").duration >= 100ms);
  CHECK(kept->named("read").duration >= 40ms);
  kept->spans.clear();
  CHECK(sim.run(ask(service, get("http://h/")))->body == "ab");
  CHECK(kept->names() == Names{"write", "wait", "read", "GET"});  // the connection was kept
  scope.cancel();
}

TEST_CASE("tracer: a queue is a phase, and a call that is given up names the one that it was in") {
  Sim sim;
  auto kept = std::make_shared<Kept>();
  const Service queueing = [](Request asked) -> Task<Response> {
    asked.progress->enter_queue(Instant());
    co_await sleep(5ms);
    asked.progress->leave_queue(Instant() + 5ms);
    co_await sleep(5ms);
    asked.progress->wait_for(TimeLimit::handshake);
    co_await sleep(1h);
    co_return Response(200);
  };
  const Service service = layered(Timeout{1s}, Tracer(kept), queueing);
  CHECK(sim.run(ask(service, get("http://h/")))->error.starts_with("timed_out"));
  CHECK(kept->names() == Names{"queue", "tls", "GET"});
  CHECK(kept->spans[0].duration == 5ms);
  CHECK(kept->spans[1].duration == 990ms);
}

TEST_CASE("tracer: carries on a trace that comes in, if it may, and its sampling") {
  Sim sim;
  auto kept = std::make_shared<Kept>();
  TracerOptions options;
  options.kind = Span::Kind::server;
  options.sampled = 0;
  std::string passed_on;
  std::string state;
  const Service handler = [&](Request incoming) -> Task<Response> {
    Request outgoing = get("http://behind/");
    outgoing.headers.set("tracestate", "old=1");
    continue_trace(incoming, outgoing);
    passed_on = outgoing.headers.get_or("traceparent", "none");
    state = outgoing.headers.get_or("tracestate", "none");
    co_return Response(404);
  };
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  const auto call = [&](const Tracer& tracer, Headers headers) {
    (void)sim.run(ask(layered(tracer, handler), request("GET", "/", std::move(headers))));
  };
  const Headers sampled{
      {"traceparent", "00-" + id + "-00f067aa0ba902b7-01"}, {"tracestate", "a=1"}, {"tracestate", "b=2"}};
  call(Tracer(kept, options), sampled);
  REQUIRE(kept->spans.size() == 1);
  CHECK(id_text(kept->spans[0].context.trace_id) == id);
  CHECK(id_text(*kept->spans[0].parent) == "00f067aa0ba902b7");
  CHECK(kept->spans[0].local_root);
  CHECK_FALSE(kept->spans[0].failed);  // a 404 is the client's
  CHECK(kept->spans[0].trace_state == "a=1, b=2");
  CHECK(passed_on == kept->spans[0].context.text());
  CHECK(state == "a=1, b=2");
  call(Tracer(kept, options), Headers{{"traceparent", "00-" + id + "-00f067aa0ba902b7-00"}});
  CHECK(passed_on.starts_with("00-" + id + "-"));
  CHECK(passed_on.ends_with("-00"));
  call(Tracer(kept, options), Headers{{"traceparent", "nonsense"}, {"tracestate", "a=1"}});
  CHECK(TraceContext::parse(passed_on));
  CHECK(state == "none");
  CHECK(kept->spans.size() == 1);
  options.trusts_peer = false;
  options.sampled = 1;
  call(Tracer(kept, options), sampled);
  CHECK(id_text(kept->spans.back().context.trace_id) != id);
}

TEST_CASE("tracer: draws as large a share as asked for, the same for the same seed") {
  const auto share = [](std::uint64_t seed) {
    Sim sim(Seed{seed});
    auto kept = std::make_shared<Kept>();
    TracerOptions options;
    options.sampled = 0.25;
    MockService mock(sim, {Step(200)});
    const Service service = layered(Tracer(kept, options), mock);
    for (int i = 0; i < 1000; ++i) (void)sim.run(ask(service, get("http://h/")));
    return kept->spans.size();
  };
  CHECK(share(1) == share(1));
  CHECK(share(1) > 200);
  CHECK(share(1) < 300);
}

TEST_CASE("tracer: no secrets") {
  Sim sim;
  auto kept = std::make_shared<Kept>();
  TracerOptions options;
  options.recorded_headers = {"Accept", "authorization", "X-None"};
  MockService mock(sim, {Step(200)});
  const Service service = layered(Tracer(kept, options), mock);
  const char* const url = "http://user:pw@h/x?page=2&TOKEN=s3&api%5Fkey=s3&token&x-amz-signature=s3&b=#frag";
  (void)sim.run(ask(
      service, Request("GET", *Url::parse(url), Headers{{"Authorization", "Bearer s3"}, {"Accept", "a"}})));
  const Span& span = kept->spans.at(0);
  CHECK(text_of(span, "url.full") ==
        "http://h/x?page=2&TOKEN=REDACTED&api%5Fkey=REDACTED&token&x-amz-signature=REDACTED&b=");
  CHECK(text_of(span, "http.request.header.accept") == "a");
  CHECK(text_of(span, "http.request.header.authorization") == "REDACTED");
  CHECK(text_of(span, "http.request.header.x-none") == "none");
  CHECK(json_line(span).find("s3") == std::string::npos);
  CHECK(json_line(span).find("pw") == std::string::npos);
}

TEST_CASE("span tree: a trace, when its root has ended") {
  Sim sim;
  std::vector<std::string> lines;
  auto tree = std::make_shared<SpanTree>([&](std::string_view line) { lines.emplace_back(line); });
  const Tracer tracer(tree);
  MockService mock(sim,
                   {Step(503, {}, 50ms), Step(Error(Errc::reset, "broken"), 10ms), Step(200, {}, 200ms)});
  const Service service = layered(tracer, Retry::doubling(3), tracer, mock);
  (void)sim.run(ask(service, get("http://h/x?token=s3")));
  CHECK(lines == std::vector<std::string>{"      0.0 ms    560.0 ms  GET http://h/x?token=REDACTED 200",
                                          "      0.0 ms     50.0 ms    attempt 1 503",
                                          "    150.0 ms     10.0 ms    attempt 2 (reset: broken)",
                                          "    360.0 ms    200.0 ms    attempt 3 200"});
}

TEST_CASE("span lines: one JSON object each") {
  Span span;
  span.context = *TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  span.name = "a \"b\"";
  span.duration = 1500us;
  span.began_ns = 1'000'000'000;
  span.attributes.emplace_back("n", std::int64_t{7});
  span.attributes.emplace_back("t", "x");
  CHECK(json_line(span) ==
        R"({"trace":"4bf92f3577b34da6a3ce929d0e0e4736","span":"00f067aa0ba902b7","name":"a \"b\"",)"
        R"("time":"1970-01-01T00:00:01.000Z","duration_ms":1.500,"n":7,"t":"x"})");
}

TEST_CASE("otlp: spans in the encoding of OTLP/HTTP") {
  Span span;
  span.context = *TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  span.parent = span.context.span_id;
  span.name = "GET";
  span.kind = Span::Kind::client;
  span.began_ns = 5;
  span.duration = Duration::nanoseconds(7);
  span.failed = true;
  span.error = "why";
  span.attributes.emplace_back("n", std::int64_t{7});
  span.attributes.emplace_back("t", "x");
  CHECK(
      otlp_json({span}, "me") ==
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"me"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"escapement"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",)"
      R"("spanId":"00f067aa0ba902b7","parentSpanId":"00f067aa0ba902b7","name":"GET","kind":3,)"
      R"("startTimeUnixNano":"5","endTimeUnixNano":"12","attributes":[{"key":"n","value":{"intValue":"7"}},)"
      R"({"key":"t","value":{"stringValue":"x"}}],"status":{"code":2,"message":"why"}}]}]}]})");
}

TEST_CASE("otlp: batches by size and time; what is too much, or is refused, is counted") {
  Sim sim;
  MockService collector(sim, {Step(200, {}, 1s), Step(200), Step(503), Step::hang(), Step(200)});
  OtlpOptions options;
  options.batch_max = 10;
  options.waiting_max = 25;
  OtlpExporter exporter(collector, *Url::parse("http://c:4318/v1/traces"), options);
  Scope scope(sim.reactor());
  scope.spawn(exporter.run());
  sim.settle();
  const auto add = [&](int count) {
    for (int i = 0; i < count; ++i) exporter.add(Span());
    sim.settle();
  };
  add(10);
  CHECK(collector.times() == std::vector<double>{0});  // a full batch goes at once
  CHECK(collector.asked()[0].headers.get_or("Content-Type", "") == "application/json");
  add(20);
  CHECK(exporter.dropped() == 5);  // 10 are on their way, 15 wait
  sim.advance(1s);
  CHECK(exporter.sent() == 20);
  CHECK(collector.times() == std::vector<double>{0, 1000});
  sim.advance(5s);
  CHECK(collector.times().back() == 6000);  // the other five after the interval, and are refused
  CHECK(exporter.dropped() == 10);
  add(10);
  sim.advance(10s);  // hangs, up to the timeout
  CHECK(exporter.dropped() == 20);
  scope.cancel();
  exporter.add(Span());
  CHECK(sim.run(exporter.flush()));
  CHECK(exporter.sent() == 21);
}

TEST_CASE("tracer: attempts side by side may end in any order") {
  Sim sim;
  auto kept = std::make_shared<Kept>();
  int attempts = 0;
  const Service service =
      layered(Hedge{.delay = 10ms, .attempts = 3}, Tracer(kept), [&](Request request) -> Task<Response> {
        const int attempt = ++attempts;
        const std::shared_ptr<CallProgress> progress = request.progress;
        co_await sleep(attempt == 1 ? Duration(100ms) : Duration(30ms));
        progress->wait_for(TimeLimit::connect);
        if (attempt != 1) co_return Error(Errc::reset, "broken");
        progress->wait_for(TimeLimit::head);
        co_return Response(200);
      });
  const Answer answer = *sim.run(ask(service, request("GET", "/")));
  CHECK(answer.status == 200);
  CHECK(attempts == 3);
}

TEST_CASE("tracer: two tracers on attempts side by side leave no observer behind") {
  Sim sim;
  std::shared_ptr<CallProgress> progress;
  int attempts = 0;
  const Service service = layered(
      Timeout{10s}, Hedge{.delay = 10ms, .attempts = 3}, Tracer(std::make_shared<Kept>()),
      Tracer(std::make_shared<Kept>()), [&](Request request) -> Task<Response> {
        const int attempt = ++attempts;
        progress = request.progress;
        co_await sleep(attempt == 1 ? Duration(15ms) : attempt == 2 ? Duration(20ms) : Duration(85ms));
        progress->wait_for(TimeLimit::connect);
        if (attempt != 3) co_return Error(Errc::reset, "broken");
        co_return Response(200);
      });
  const Answer answer = *sim.run(ask(service, request("GET", "/")));
  CHECK(answer.status == 200);
  CHECK(attempts == 3);
  REQUIRE(progress);
  CHECK(progress->observer == nullptr);
}

TEST_CASE("otlp: UTF-8 stays as it is; bytes that are none are escaped") {
  Span span;
  span.name =
      "Gr\xc3\xbc\xc3\x9f"
      "e \xe2\x82\xac \xf0\x9f\x98\x80\x7f";
  CHECK(otlp_json({span}, "")
            .find("\"Gr\xc3\xbc\xc3\x9f"
                  "e \xe2\x82\xac \xf0\x9f\x98\x80\\u007f\"") != std::string::npos);
  span.name =
      "Gr\xfc\xdf"
      "e";
  CHECK(otlp_json({span}, "").find("\"Gr\\u00fc\\u00dfe\"") != std::string::npos);
  span.name = "cut \xe2\x82";
  CHECK(otlp_json({span}, "").find("\"cut \\u00e2\\u0082\"") != std::string::npos);
}
