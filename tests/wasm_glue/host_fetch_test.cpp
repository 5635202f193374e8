// Fetches that fail or are refused, and what their errors say, driven by a host that the test plays.

#include <escapement/wasm_glue/host_fetch.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/progress.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/runtime.h>

#include "wasm_glue/fake_js.h"

using namespace escapement;
using test::FakeContext;
using test::js;

namespace {

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
  if (body) co_return std::string();
  Result<std::string> again = co_await outcome->body.read().result();
  REQUIRE(!again);  // it stays failed
  CHECK(to_string(again.error()) == to_string(body.error()));
  co_return *(failure = std::move(body).error());
}

// The same under a limit of 10 ms.
Task<std::string> hasty(std::string) {
  const http::Service service = http::layered(http::Timeout{10ms}, wasm::HostFetch());
  Result<http::Response> outcome = co_await service(*std::move(to_send)).result();
  if (!outcome) co_return *(failure = std::move(outcome).error());
  co_return std::string();
}

// Counts those of 60 fetches at once that keep 200 ms for each attempt; six may wait for a head.
Task<> one_attempt(const http::Service& service, int& right) {
  http::Request request = http::get("http://h/");
  request.attempt = 1;
  Result<http::Response> outcome = co_await service(std::move(request)).result();
  if (outcome) ++right;
}
Task<std::string> parallel(std::string) {
  Reactor& reactor = co_await this_reactor;
  const http::Service service = http::layered(http::Timeout{200ms}, wasm::HostFetch({.heads_max = 6}));
  int right = 0;
  Scope scope(reactor, nullptr);
  for (int i = 0; i < 60; ++i) scope.spawn(one_attempt(service, right));
  co_await scope.join();
  co_return std::to_string(right);
}
class Silent final : public http::BodySource {
  Task<std::string> read() override {
    co_await sleep(Duration::max());
    co_return std::string();
  }
};

}  // namespace

ESC_TASK(sent)
ESC_TASK(failing)
ESC_TASK(hasty)
ESC_TASK(parallel)

TEST_CASE("host_fetch: a fetch that failed says which limit it was, how long, to whom and in which attempt") {
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

TEST_CASE("host_fetch: a call that is given up says what it was doing, and what was not sent") {
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

TEST_CASE("host_fetch: what may not be sent is refused before the host hears of it, and the field is named") {
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

TEST_CASE("host_fetch: 60 fetches of 50 ms, six at a time, all keep 200 ms for each attempt") {
  FakeContext context;
  context.run(esc_task_parallel, "");
  for (int answered = 0; answered < 60;) {
    CHECK(js.last_fetch == answered + 6);
    context.advance(50);
    for (int i = 0; i < 6; ++i) {
      js.last_fetch = ++answered;
      context.fetch_head("204\n");
    }
  }
  CHECK(js.settled);
  CHECK(js.result == "60");
}
