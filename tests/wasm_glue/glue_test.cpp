// The C++ half of the glue, driven by a host that the test plays: waits, limits, and who is gone when.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/io/http/progress.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>
#include <escapement/wasm_glue/abort_signal.h>
#include <escapement/wasm_glue/host_fetch.h>
#include <escapement/wasm_glue/host_operation.h>
#include <escapement/wasm_glue/worker.h>

#include "wasm_glue/fake_js.h"

using namespace escapement;
using test::FakeContext;
using test::js;

namespace {

http::Request to(std::string_view url) { return http::Request("GET", *http::Url::parse(url)); }

Task<std::string> fetched(std::string url) {
  http::Response response = co_await wasm::HostFetch()(to(url));
  co_return co_await response.body.text(1 * MiB);
}

// The same with short limits.
Task<std::string> hurried(std::string url) {
  http::Response response =
      co_await wasm::HostFetch({.head_timeout = 200ms, .stall_timeout = 300ms})(to(url));
  co_return co_await response.body.text(1 * MiB);
}

// Reads under a limit of 50 ms, again and again.
Task<std::string> insisting_on(http::Body& body) {
  std::string all;
  for (;;) {
    Result<std::string> piece = co_await with_timeout(50ms, body.read()).result();
    if (!piece && piece.error() != Errc::timed_out) co_return std::move(piece).error();
    if (!piece) {
      all += '-';
      continue;
    }
    if (piece->empty()) co_return std::move(all);
    all += *piece;
  }
}
Task<std::string> patient(std::string url) {
  http::Response response = co_await wasm::HostFetch()(to(url));
  co_return co_await insisting_on(response.body);
}

// Sends what the test has made; yields how that failed.
std::optional<http::Request> to_send;
Task<std::string> sent(std::string) {
  Result<http::Response> outcome = co_await wasm::HostFetch()(*std::move(to_send)).result();
  co_return outcome ? std::string("sent") : to_string(outcome.error());
}

// The last failure of a fetch of what the test has made, with `to_report` as its progress.
std::optional<Error> failure;
std::shared_ptr<http::CallProgress> to_report;
Task<std::string> failing(std::string) {
  http::Request request = *std::move(to_send);
  request.progress = to_report;
  const wasm::HostFetch service;
  Result<http::Response> outcome = co_await service(std::move(request)).result();
  if (!outcome) co_return *(failure = std::move(outcome).error());
  Result<std::string> body = co_await outcome->body.text(1 * MiB).result();
  if (!body) co_return *(failure = std::move(body).error());
  co_return std::string();
}

// The same under a limit of 10 ms.
Task<std::string> hasty(std::string) {
  const http::Service service = http::layered(http::Timeout{10ms}, wasm::HostFetch());
  Result<http::Response> outcome = co_await service(*std::move(to_send)).result();
  if (!outcome) co_return *(failure = std::move(outcome).error());
  co_return std::string();
}
class Silent final : public http::BodySource {
  Task<std::string> read() override {
    co_await sleep(Duration::max());
    co_return std::string();
  }
};

std::optional<http::Response> to_answer;

class Stated final : public http::BodySource {
 public:
  explicit Stated(std::uint64_t length) : length_(length) {}
  Task<std::string> read() override { co_return std::exchange(bytes_, std::string()); }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  std::uint64_t length_;
  std::string bytes_ = "four";
};

Task<std::string> forever(std::string) {
  co_await sleep(Duration::max());
  co_return std::string();
}

class Endless final : public http::BodySource {
  Task<std::string> read() override { co_return std::string("more"); }
};

// Waits until the signal is aborted, then fetches something before it ends.
Task<std::string> parting(std::string) {
  Reactor& reactor = co_await this_reactor;
  const CancelToken gone = wasm::abort_signal(reactor);
  Result<> outcome = co_await with_cancel(gone, sleep(Duration::max())).result();
  std::string last = co_await fetched("http://h/");
  co_return to_string(outcome.error()) + ", " + last;
}

// Two waits for one signal.
Task<std::string> stopped(std::string) {
  Reactor& reactor = co_await this_reactor;
  const CancelToken gone = wasm::abort_signal(reactor);
  const CancelToken same = wasm::abort_signal(reactor);
  co_await same.wait();
  CHECK(gone.cancelled());
  co_await with_cancel(gone, sleep(Duration::max()));
  co_return std::string();
}

// An operation of a binding, with a limit of 100 ms, until its outcome; "twice": until the second.
Task<std::string> operated(std::string how) {
  wasm::HostOperation operation(co_await this_reactor);
  js.calls.push_back("begin " + std::to_string(operation.id()));
  wasm::HostOutcome outcome = co_await operation.outcome(100ms);
  if (how == "twice") {
    co_await sleep(10ms);
    outcome = co_await operation.outcome(100ms);
  }
  co_return std::to_string(outcome.status) + ' ' + outcome.bytes;
}

Task<> fetch_apart() { std::string ignored = co_await fetched("http://h/"); }

Task<http::Response> serve(http::Request request) {
  const std::string path = request.url.path();
  if (path == "/forever") co_await sleep(Duration::max());
  if (path == "/endless") co_return http::Response(200, http::Body(std::make_unique<Endless>()));
  if (path == "/outlive") {
    Reactor& reactor = co_await this_reactor;
    wasm::wait_until(reactor, fetch_apart());
    co_return http::Response(200, "sent");
  }
  if (path == "/answer") co_return *std::move(to_answer);
  if (path == "/overloaded") co_return Error::out_of_memory();
  if (path == "/late") co_return Error(Errc::timed_out);
  if (path == "/onward") {
    http::Request onward("POST", *http::Url::parse("http://h/"), request.headers, std::move(request.body));
    co_return co_await wasm::HostFetch()(std::move(onward));
  }
  if (path == "/relay") co_return co_await wasm::HostFetch()(to("http://h/"));
  if (path == "/insist") {
    std::string all = co_await insisting_on(request.body);
    co_return http::Response(200, std::move(all));
  }
  std::string all = co_await request.body.text(1 * MiB);
  co_return http::Response(200, std::move(all));
}

}  // namespace

ESC_TASK(fetched)
ESC_TASK(hurried)
ESC_TASK(patient)
ESC_TASK(forever)
ESC_TASK(operated)
ESC_TASK(parting)
ESC_TASK(stopped)
ESC_TASK(sent)
ESC_TASK(failing)
ESC_TASK(hasty)
ESC_WORKER(serve)

TEST_CASE("glue: a context is closed with a fetch under way, at its head and at its body") {
  for (const bool with_head : {false, true}) {
    FakeContext context;
    context.run(esc_task_fetched, "http://h/");
    if (with_head) context.fetch_head("200\n");
    context.close();
    CHECK(js.count("fetch_drop 1") == 1);
  }
  FakeContext context;
  context.request("GET\nhttp://h/outlive\n", false);
  CHECK(js.responded);
  context.close();
  CHECK(js.count("fetch_drop 1") == 1);
}

TEST_CASE("glue: a task that took the signal as a token is told, and ends by itself") {
  FakeContext context;
  context.run(esc_task_parting, "");
  CHECK(context.delay == -1);  // it waits for the host alone
  js.abort_reason = "enough";
  CHECK(context.cancel());
  js.abort_reason = "more than enough";
  CHECK_FALSE(js.settled);
  CHECK(js.count("fetch 1") == 1);
  CHECK(context.cancel());  // the first counts
  context.fetch_head("200\n");
  context.fetch_bytes("bye");
  context.fetch_bytes("");
  CHECK(js.ok);
  CHECK(js.result == "cancelled: enough, bye");
  CHECK(context.delay == -2);
}

TEST_CASE("glue: one signal has one token; a failure by it is the task's") {
  FakeContext context;
  context.run(esc_task_stopped, "");
  CHECK(context.cancel());
  CHECK(js.settled);
  CHECK_FALSE(js.ok);
  CHECK(js.result == "cancelled: aborted by the host");
  CHECK(context.delay == -2);
}

TEST_CASE("glue: the reason of a signal may be long") {
  for (const std::size_t length : {1, 127, 128, 129, 5000}) {
    FakeContext context;
    context.run(esc_task_stopped, "");
    js.abort_reason = std::string(length, 'x');
    CHECK(context.cancel());
    CHECK(js.result == "cancelled: " + js.abort_reason);
  }
}

TEST_CASE(
    "glue: without a token the tasks are destroyed; a context is closed while one waits for its token") {
  FakeContext context;
  context.run(esc_task_forever, "");
  CHECK_FALSE(context.cancel());
  CHECK_FALSE(js.settled);
  CHECK(context.delay == -2);

  FakeContext another;
  another.run(esc_task_stopped, "");
  another.close();
  CHECK_FALSE(js.settled);
}

TEST_CASE("glue: a fetch that is not answered, and a body that stops, end at their limits") {
  FakeContext context;
  context.run(esc_task_fetched, "http://h/");
  CHECK(context.delay == 30000);
  SECTION("no head") {
    context.advance(29999);
    CHECK_FALSE(js.settled);
    context.advance(1);
    CHECK(js.result == "timed_out: waiting for the response of http://h: no head within 30s");
  }
  SECTION("3 of 10 bytes") {
    context.fetch_head("200\ncontent-length: 10\n");
    context.fetch_bytes("abc");
    context.advance(29999);
    CHECK_FALSE(js.settled);
    context.advance(1);
    CHECK(js.result == "timed_out: reading the body from http://h: nothing within 30s");
  }
  SECTION("slow, but never for so long") {
    context.fetch_head("200\ncontent-length: 10\n");
    for (int i = 0; i < 10; ++i) {
      context.advance(29000);
      context.fetch_bytes("x");
    }
    context.fetch_bytes("");
    CHECK(js.result == "xxxxxxxxxx");
  }
  CHECK(js.settled);
  CHECK(js.count("fetch_drop 1") == 1);
  CHECK(context.delay == -2);
}

TEST_CASE("glue: a fetch that failed says which limit it was, how long, to whom and in which attempt") {
  to_send.emplace("POST", *http::Url::parse("https://h:8443/a"), http::Headers(), "x");
  to_send->attempt = 2;
  to_report = std::make_shared<http::CallProgress>();
  FakeContext context;
  context.run(esc_task_failing, "");
  CHECK(to_report->reported);
  CHECK(to_report->maybe_sent);
  CHECK(to_report->attempt == 2);
  CHECK(to_report->waits_for == TimeLimit::head);
  TimeLimit limit = TimeLimit::none;
  SECTION("the head") {
    context.advance(30001);
    limit = TimeLimit::head;
  }
  SECTION("the body") {
    context.fetch_head("200\ncontent-length: 10\n");
    CHECK(to_report->waits_for == TimeLimit::none);
    context.fetch_bytes("abc");
    context.advance(30001);
    limit = TimeLimit::body;
  }
  SECTION("the host says nothing") { context.fetch_failed("gone"); }
  SECTION("the body breaks off") {
    context.fetch_head("200\ncontent-length: 10\n");
    context.fetch_bytes("");
  }
  REQUIRE(js.settled);
  CHECK(failure->limit() == limit);
  CHECK(failure->limit_length() == (limit == TimeLimit::none ? 0s : 30s));
  CHECK(failure->elapsed() == (limit == TimeLimit::none ? 0ms : 30001ms));
  CHECK(failure->peer() == "https://h:8443");
  CHECK(failure->attempt() == 2);
  CHECK(failure->maybe_sent());
}

TEST_CASE("glue: a call that is given up says what it was doing, and what was not sent") {
  to_report = nullptr;
  SECTION("while the host has it") {
    to_send.emplace("GET", *http::Url::parse("http://h/"));
    FakeContext context;
    context.run(esc_task_hasty, "");
    context.advance(10);
    CHECK(js.result == "timed_out: http://h: no response within 10ms; it was waiting for the response");
    CHECK(failure->maybe_sent());
  }
  SECTION("while its body is collected") {
    to_send.emplace("POST", *http::Url::parse("http://h/"), http::Headers(),
                    http::Body(std::make_unique<Silent>()));
    FakeContext context;
    context.run(esc_task_hasty, "");
    context.advance(10);
    CHECK(js.result == "timed_out: http://h: no response within 10ms");
    CHECK_FALSE(failure->maybe_sent());
  }
}

TEST_CASE("glue: a handler that ran out of memory or time is answered as by the native server") {
  FakeContext context;
  context.request("GET\nhttp://h/overloaded\n", false);
  CHECK(js.response_head.starts_with("503\n"));
  context.request("GET\nhttp://h/late\n", false);
  CHECK(js.response_head.starts_with("503\n"));
}

TEST_CASE("glue: the limits of a fetch can be set") {
  FakeContext context;
  context.run(esc_task_hurried, "http://h/");
  CHECK(context.delay == 200);
  context.fetch_head("200\n");
  CHECK(context.delay == 300);
  context.advance(300);
  CHECK(js.result.starts_with("timed_out"));
}

TEST_CASE("glue: a read of a response's body that was given up loses nothing") {
  FakeContext context;
  context.run(esc_task_patient, "http://h/");
  context.fetch_head("200\n");
  context.fetch_bytes("one ");
  context.advance(50);
  context.advance(50);
  CHECK(js.count("fetch_read 1") == 2);  // one question is open
  context.fetch_bytes("two ");
  context.advance(50);
  context.fetch_bytes("three");
  context.fetch_bytes("");
  CHECK(js.result == "one --two -three");
}

TEST_CASE("glue: bytes that come in the turn in which the reader gives up are kept") {
  FakeContext context;
  context.run(esc_task_patient, "http://h/");
  context.fetch_head("200\n");
  js.now += 50;
  context.fetch_bytes("one");
  context.fetch_bytes("");
  std::erase(js.result, '-');
  CHECK(js.result == "one");
}

TEST_CASE("glue: a failure after a read that was given up is told once it is asked for, and again") {
  FakeContext context;
  context.run(esc_task_patient, "http://h/");
  context.fetch_head("200\n");
  context.advance(50);
  context.fetch_failed("gone");
  CHECK(js.result.starts_with("reset: fetch failed: gone"));
}

TEST_CASE("glue: a read of a request's body that was given up loses nothing") {
  FakeContext context;
  context.request("POST\nhttp://h/insist\n", true);
  context.request_bytes("one ");
  context.advance(50);
  context.request_bytes("two");
  context.request_bytes("");
  CHECK(js.response_body == "one -two");
}

TEST_CASE("glue: a request's body that stops ends its request with 408") {
  FakeContext context;
  context.request("POST\nhttp://h/\n", true);
  context.request_bytes("abc");
  CHECK(context.delay == 30000);
  context.advance(30000);
  CHECK(js.response_head.starts_with("408\n"));
  CHECK(context.delay == -2);
}

TEST_CASE("glue: a response that nobody reads on is broken off") {
  FakeContext context;
  context.request("GET\nhttp://h/endless\n", false);
  REQUIRE(js.streams);
  context.wanted();
  CHECK(js.response_body == "more");
  context.advance(29999);
  CHECK(js.response_end == -1);
  context.advance(1);
  CHECK(js.response_end == 1);
  CHECK(context.delay == -2);
}

TEST_CASE("glue: the answer to HEAD does not wait for its body to be asked for") {
  FakeContext context;
  SECTION("made here") { context.request("HEAD\nhttp://h/endless\n", false); }
  SECTION("relayed") {
    context.request("HEAD\nhttp://h/relay\n", false);
    context.fetch_head("200\n");
    CHECK(js.count("fetch_drop 1") == 1);
  }
  CHECK(js.responded);
  CHECK_FALSE(js.streams);
  CHECK(context.delay == -2);
}

TEST_CASE("glue: a step says when its tasks wait for what cannot come") {
  FakeContext context;
  SECTION("a task") { context.run(esc_task_forever, ""); }
  SECTION("a request") { context.request("GET\nhttp://h/forever\n", false); }
  CHECK(context.delay == -3);
  context.cancel();
  CHECK(context.delay == -2);
}

TEST_CASE("glue: what may not be sent is refused before the host hears of it, and the field is named") {
  const http::Url url = *http::Url::parse("http://h/");
  const auto outcome = [&](http::Request request) {
    to_send.emplace(std::move(request));
    FakeContext context;
    context.run(esc_task_sent, "");
    return js.count("fetch 1") == 1 ? "sent" : js.result;
  };
  CHECK(outcome(http::Request("GET", url, {{"Authorization", "Bearer abc\n"}})).find("Authorization") !=
        std::string::npos);
  CHECK(outcome(http::Request("GET", url, {{"X", "a\r\nY: b"}})).starts_with("invalid_argument"));
  CHECK(outcome(http::Request("GET", url, {{"X: a\nY", "b"}})).find("X: a\\x0aY") != std::string::npos);
  CHECK(outcome(http::Request("GET\nhttp://evil/", url)).starts_with("invalid_argument: the method"));
  CHECK(outcome(http::Request("CONNECT", url)).starts_with("unsupported"));
  for (const char* length : {"2", "-1", "4", "3x", "", "3, 3"}) {
    CHECK(outcome(http::Request("POST", url, {{"Content-Length", length}}, "abc")).find("Content-Length") !=
          std::string::npos);
  }
  CHECK(outcome(http::Request("POST", url, {{"Content-Length", "3"}}, "abc")) == "sent");
  CHECK(js.fetch_head == "POST\nhttp://h/\n");
  CHECK(outcome(http::Request("GET", url, {{"X", "\xe9\t"}, {"Connection", "close"}})) == "sent");
  CHECK(js.fetch_head == "GET\nhttp://h/\nX: \xe9\t\n");
}

TEST_CASE("glue: a response that may not be sent is a failure of its request") {
  const auto head = [](http::Response response, std::string method = "GET") {
    to_answer.emplace(std::move(response));
    FakeContext context;
    context.request(method + "\nhttp://h/answer\n", false);
    return js.response_head;
  };
  using http::Headers;
  CHECK(head(http::Response(200, Headers{{"X", "a\nY: b"}}, "x")).starts_with("500\n"));
  CHECK(js.failure.find("header field X ") != std::string::npos);
  CHECK(head(http::Response(200, Headers{{"X Y", "a"}}, "x")).starts_with("500\n"));
  CHECK(head(http::Response(200, Headers{{"Content-Length", "2"}}, "x")).starts_with("500\n"));
  CHECK(head(http::Response(600)).starts_with("500\n"));
  CHECK(head(http::Response(199)).starts_with("500\n"));
  CHECK(head(http::Response(200, Headers{{"Content-Length", "1"}, {"Keep-Alive", "x"}}, "x")) ==
        "200\nContent-Length: 1\n");
  CHECK(head(http::Response(200, Headers{{"Content-Length", "1000"}}, {}), "HEAD") ==
        "200\nContent-Length: 1000\n");
  CHECK(head(http::Response(200, Headers{{"Content-Length", "1x"}}, {}), "HEAD").starts_with("500\n"));
}

TEST_CASE("glue: a streamed body that is not as long as it said breaks off") {
  for (const std::uint64_t length : {3U, 4U, 5U}) {
    to_answer.emplace(200, http::Body(std::make_unique<Stated>(length)));
    FakeContext context;
    context.request("GET\nhttp://h/answer\n", false);
    context.wanted();
    context.wanted();
    CHECK(js.response_end == (length == 4 ? 0 : 1));
  }
}

TEST_CASE("glue: lengths that were received are held to, and may be passed on") {
  FakeContext context;
  context.request("POST\nhttp://h/onward\ncontent-length: 3\n", true);
  SECTION("both whole") {
    context.request_bytes("abc");
    context.request_bytes("");
    CHECK(js.fetch_body == "abc");
    context.fetch_head("200\ncontent-length: 2\n");
    CHECK(js.response_head == "200\ncontent-length: 2\n");
    context.wanted();
    context.fetch_bytes("ok");
    context.wanted();
    context.fetch_bytes("");
    CHECK(js.response_end == 0);
  }
  SECTION("the request breaks off") {
    context.request_bytes("ab");
    context.request_bytes("");
    CHECK(js.count("fetch 1") == 0);
    CHECK(js.failure.find("broke off") != std::string::npos);
  }
  SECTION("more than is collected") {
    context.request_bytes(std::string(1048577, 'x'));
    CHECK(js.count("fetch 1") == 0);
    CHECK(js.failure.starts_with("limit_exceeded: a body that streams is collected before fetch()"));
  }
}

TEST_CASE("glue: an operation of a binding ends with a status and bytes, once or more often") {
  FakeContext context;
  context.run(esc_task_operated, GENERATE("", "twice"));
  CHECK(js.count("begin 1") == 1);
  CHECK(context.delay == 100);
  context.done(1, 404, "none");
  if (!js.settled) context.done(1, 404, "none");  // before it is asked for
  if (!js.settled) context.advance(10);
  CHECK(js.ok);
  CHECK(js.result == "404 none");
  CHECK(js.count("fetch_drop 1") == 1);
  CHECK(context.delay == -2);
  context.done(1, 0, "late");
}

TEST_CASE("glue: an operation of a binding fails as the host says, at its limit, and when it is cancelled") {
  FakeContext context;
  context.run(esc_task_operated, "");
  SECTION("of a kind that the host names") {
    context.done(1, -1, "unavailable: KV GET failed: 429");
    CHECK(js.result == "unavailable: KV GET failed: 429");
  }
  SECTION("of an unknown kind") {
    context.done(1, -1, "TypeError: no: kind");
    CHECK(js.result == "reset: TypeError: no: kind");
  }
  SECTION("without a kind") {
    context.done(1, -1, "nothing");
    CHECK(js.result == "reset: nothing");
  }
  SECTION("at its limit") {
    context.advance(99);
    CHECK_FALSE(js.settled);
    context.advance(1);
    CHECK(js.result == "timed_out: no reply of the host within 100ms");
  }
  SECTION("when it is cancelled") {
    context.cancel();
    CHECK_FALSE(js.settled);
  }
  CHECK(js.count("fetch_drop 1") == 1);
  CHECK(context.delay == -2);
}
