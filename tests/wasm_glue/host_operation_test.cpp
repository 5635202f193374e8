// Operations of a binding, driven by a host that the test plays.

#include <escapement/wasm_glue/host_operation.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/timers/sleep.h>
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

}  // namespace

ESC_TASK(operated)

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
