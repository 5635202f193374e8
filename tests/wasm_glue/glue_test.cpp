// The C++ half of the glue, driven by a host that the test plays: waits, limits, and who is gone when.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/io/http/progress.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>
#include <escapement/wasm_glue/abort_signal.h>
#include <escapement/wasm_glue/host_fetch.h>
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

class Guard final : public http::BodyAttachment {};
std::optional<http::Headers> kept;

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
  if (path == "/touch") {
    http::Response response = co_await wasm::HostFetch()(to("http://h/"));
    response.headers.set("x-by", "us");
    co_return std::move(response);
  }
  if (path == "/status") {
    http::Response response = co_await wasm::HostFetch()(to("http://h/"));
    response.status = 201;
    co_return std::move(response);
  }
  if (path == "/read") {
    http::Response response = co_await wasm::HostFetch()(to("http://h/"));
    std::string piece = co_await response.body.read();
    co_return http::Response(200, std::move(response.headers), std::move(response.body));
  }
  if (path == "/guarded") {
    http::Response response = co_await wasm::HostFetch()(to("http://h/"));
    response.body.attach(std::make_unique<Guard>());
    co_return std::move(response);
  }
  if (path == "/echo") co_return http::Response(200, std::move(request.body));
  if (path == "/upload") {
    http::Request onward("POST", *http::Url::parse("http://h/"), {}, http::Body(std::make_unique<Stated>(4)));
    co_return co_await wasm::HostFetch()(std::move(onward));
  }
  if (path == "/kept") {
    kept.emplace(std::move(request.headers));
    co_return http::Response(204);
  }
  if (path == "/field") {
    const std::string* const first = request.headers.get("X-Name");
    co_return http::Response(200, first != nullptr ? *first : "none");
  }
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
ESC_TASK(parting)
ESC_TASK(stopped)
ESC_WORKER(serve)

TEST_CASE("glue: a context is closed with a fetch under way, at its head and at its body") {
  for (const bool with_head : {false, true}) {
    FakeContext context;
    context.run(esc_task_fetched, "http://h/");
    if (with_head) context.fetch_head("200\n");
    context.close();
    CHECK(js.count("drop 1") == 1);
  }
  FakeContext context;
  context.request("GET\nhttp://h/outlive\n", false);
  CHECK(js.responded);
  context.close();
  CHECK(js.count("drop 2") == 1);
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
  CHECK(js.count("drop 1") == 1);
  CHECK(context.delay == -2);
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
  CHECK(js.count("read 1") == 2);  // one question is open
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
  REQUIRE(js.response_stream == -1);
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
    CHECK(js.count("drop 2") == 1);
  }
  CHECK(js.responded);
  CHECK(js.response_stream == 0);
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
    CHECK(js.count("relay 2") == 1);
    CHECK(context.delay == -2);
  }
  SECTION("the request breaks off") {
    context.request_bytes("ab");
    context.request_bytes("");
    CHECK(js.count("fetch 2") == 0);
    CHECK(js.failure.find("broke off") != std::string::npos);
  }
  SECTION("more than is collected") {
    context.request_bytes(std::string(1048577, 'x'));
    CHECK(js.count("fetch 2") == 0);
    CHECK(js.failure.starts_with("limit_exceeded: a body that streams is collected before fetch()"));
  }
}

TEST_CASE("glue: fields stay with the host until they are asked for") {
  FakeContext context;
  context.request("GET\nhttp://h/field\nx-other: 1\nX-Name: value\n", false);
  CHECK(js.response_body == "value");
  CHECK(js.count("fields 1 X-Name") == 1);
  CHECK(js.count("fields 1 ") == 0);
  FakeContext another;
  another.request("GET\nhttp://h/kept\na: 1\nb: 2\n", false);
  CHECK(another.delay == -2);
  CHECK(js.count("fields 1 ") == 1);  // the request is over, and they are still there
  another.close();
  CHECK(kept->size() == 2);
  CHECK(*kept->get("B") == "2");
  kept.reset();
}

TEST_CASE("glue: a response that C++ has not touched is the host's own; else its body alone") {
  FakeContext context;
  SECTION("untouched") {
    context.request("GET\nhttp://h/relay\n", false);
    context.fetch_head("200\nx: 1\n");
    CHECK(js.count("relay 2") == 1);
    CHECK(js.count("fields 2 ") == 0);
  }
  SECTION("a field more, or another status") {
    context.request(GENERATE("GET\nhttp://h/touch\n", "GET\nhttp://h/status\n"), false);
    context.fetch_head("200\nx: 1\n");
    CHECK(js.response_stream == 2);
    CHECK((js.response_head == "200\nx: 1\nx-by: us\n" || js.response_head == "201\nx: 1\n"));
  }
  SECTION("the request's body") {
    context.request("POST\nhttp://h/echo\ncontent-length: 3\n", true);
    CHECK(js.response_stream == 1);
    CHECK(js.count("read 1") == 0);
  }
  CHECK(context.delay == -2);
  context.close();
  CHECK(js.count("drop 2") == (js.response_stream == 1 ? 0 : 1));
}

TEST_CASE("glue: a body that has been looked at, or is guarded, goes through C++") {
  FakeContext context;
  SECTION("looked at") {
    context.request("GET\nhttp://h/read\n", false);
    context.fetch_head("200\n");
    context.fetch_bytes("first");
  }
  SECTION("guarded") {
    context.request("GET\nhttp://h/guarded\n", false);
    context.fetch_head("200\n");
  }
  CHECK(js.response_stream == -1);
  context.wanted();
  context.fetch_bytes("rest");
  CHECK(js.response_body == "rest");
}

TEST_CASE("glue: where the host can stream, request bodies do, and ones it has are passed on") {
  js.traits = 1;
  FakeContext context;
  js.traits = 1;
  SECTION("passed on") {
    context.request("POST\nhttp://h/onward\ncontent-length: 3\n", true);
    CHECK(js.fetch_stream == 1);
    CHECK(js.count("read 1") == 0);
    CHECK(context.delay == 30000);
  }
  SECTION("sent as the host asks for it") {
    context.request("GET\nhttp://h/upload\n", false);
    CHECK(js.fetch_stream == -1);
    context.advance(20000);
    context.wanted(2);
    CHECK(js.fetch_body == "four");
    context.advance(20000);  // the limit counts from the last piece
    CHECK_FALSE(js.responded);
    context.wanted(2);
    CHECK(js.upload_end == 0);
    context.fetch_head("200\n");
    CHECK(js.count("relay 2") == 1);
  }
  js.traits = 0;
}

TEST_CASE(
    "glue: where six fetches may wait for a head, the seventh waits for a place, with a limit of its own") {
  js.traits = 2;
  {
    FakeContext context;
    js.traits = 2;
    for (int i = 0; i < 8; ++i) context.run(esc_task_fetched, "http://h/");
    CHECK(js.last_fetch == 6);
    js.last_fetch = 1;
    context.fetch_head("200\n");
    CHECK(js.last_fetch == 7);
    context.advance(29999);
    CHECK_FALSE(js.settled);
    context.advance(1);
    CHECK(js.count("fetch 8") == 0);
  }
  js.traits = 0;
}
