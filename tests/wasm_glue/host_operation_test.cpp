// Operations of a binding, driven by a host that the test plays.

#include <escapement/wasm_glue/host_operation.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/detail/host_body.h>
#include <escapement/wasm_glue/runtime.h>

#include "wasm_glue/fake_js.h"

using namespace escapement;
using test::FakeContext;
using test::js;

namespace {

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

// The host's own stream.
class HostStream final : public http::BodySource {
 public:
  explicit HostStream(std::optional<std::uint64_t> length) : length_(length) {}
  Task<std::string> read() override { co_return std::string(); }
  std::optional<std::uint64_t> length() const override { return length_; }
  int host_handle() override { return 7; }

 private:
  std::optional<std::uint64_t> length_;
};

// Begins an operation that takes a body of 128 KiB, with a limit of 100 ms.
Task<std::string> put(std::string how) {
  std::optional<std::uint64_t> length;
  if (how == "stream") length = 128 * KiB;
  http::Body body(std::make_unique<HostStream>(length));
  if (how == "whole") body = http::Body(std::string(128 * KiB, 'x'));
  const Duration limit = how == "no limit" ? Duration::max() : Duration(100ms);
  wasm::HostOperation operation(co_await this_reactor);
  wasm::HostBodyImport* const begin = [](int, const char*, std::size_t, const char*, std::size_t) {};
  wasm::Packed arguments;
  wasm::HostOutcome done = co_await wasm::host_call(operation, begin, std::move(arguments), std::move(body),
                                                    limit, Duration(100ms));
  co_return std::to_string(done.status);
}

}  // namespace

ESC_TASK(operated)
ESC_TASK(put)

TEST_CASE("operation: one ends with a status and bytes, once or more often") {
  FakeContext context;
  context.run(esc_task_operated, GENERATE("", "twice"));
  CHECK(js.count("begin 1") == 1);
  CHECK(context.delay == 100);
  context.done(1, 404, "none");
  if (!js.settled) context.done(1, 404, "none");  // before it is asked for
  if (!js.settled) context.advance(10);
  CHECK(js.ok);
  CHECK(js.result == "404 none");
  CHECK(js.count("drop 1") == 1);
  CHECK(context.delay == -2);
  context.done(1, 0, "late");
}

TEST_CASE("operation: one fails as the host says, at its limit, and when it is cancelled") {
  FakeContext context;
  context.run(esc_task_operated, "");
  SECTION("of a kind that the host names") {
    context.failed(1, "unavailable: KV GET failed: 429");
    CHECK(js.result == "unavailable: KV GET failed: 429");
  }
  SECTION("of an unknown kind") {
    context.failed(1, "TypeError: no: kind");
    CHECK(js.result == "reset: TypeError: no: kind");
  }
  SECTION("without a kind") {
    context.failed(1, "nothing");
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
  CHECK(js.count("drop 1") == 1);
  CHECK(context.delay == -2);
}

TEST_CASE("operation: a body that the host has gives it a second more for each 64 KiB") {
  struct {
    std::string how;
    double milliseconds;
  } const cases[] = {{"stream", 2100}, {"whole", 2100}, {"unknown length", 256'100}};
  for (const auto& [how, milliseconds] : cases) {
    CAPTURE(how);
    FakeContext context;
    context.run(esc_task_put, how);
    context.advance(milliseconds - 1);
    CHECK_FALSE(js.settled);
    context.advance(1);
    CHECK(js.result.substr(0, 9) == "timed_out");
  }
  FakeContext context;
  context.run(esc_task_put, "no limit");
  context.advance(1e9);
  CHECK_FALSE(js.settled);
  context.done(1, 0, "");
  CHECK(js.result == "0");
}
