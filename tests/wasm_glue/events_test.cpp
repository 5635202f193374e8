// Cron triggers, driven by a host that the test plays.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/events.h>

#include "wasm_glue/fake_js.h"

using namespace escapement;
using test::FakeContext;
using test::js;

namespace {

// Keeps what a cron trigger says, 10 ms later.
std::string scheduled_seen;
Task<> on_schedule(wasm::Scheduled event) {
  co_await sleep(10ms);
  if (event.cron == "fail") co_await Error(Errc::unavailable, "no store");
  scheduled_seen = event.time.rfc3339() + ' ' + event.cron;
}

}  // namespace

ESC_SCHEDULED(on_schedule)

TEST_CASE("events: a cron trigger has its expression and its time, and fails as its handler does") {
  FakeContext context;
  SECTION("a time and an expression") {
    context.run(esc_task_scheduled, "1767225600250 */5 * * * *");
    CHECK(context.delay == 10);
    context.advance(10);
    CHECK(js.ok);
    CHECK(scheduled_seen == "2026-01-01T00:00:00.250Z */5 * * * *");
  }
  SECTION("no expression") {
    context.run(esc_task_scheduled, "-1 ");
    context.advance(10);
    CHECK(js.ok);
    CHECK(scheduled_seen == "1970-01-01T00:00:00.000Z ");
  }
  SECTION("a failure of the handler") {
    context.run(esc_task_scheduled, "0 fail");
    context.advance(10);
    CHECK_FALSE(js.ok);
    CHECK(js.result == "unavailable: no store");
  }
  SECTION("text that is not one") {
    context.run(esc_task_scheduled,
                GENERATE("", " ", "now * * * * *", "17", "99999999999999999999 * * * * *"));
    CHECK_FALSE(js.ok);
    CHECK(js.result.starts_with("invalid_argument: a cron trigger without its time"));
  }
  SECTION("dropped by the host") {
    context.run(esc_task_scheduled, "0 *");
    CHECK_FALSE(context.cancel());
    CHECK_FALSE(js.settled);
    CHECK(scheduled_seen.empty());
  }
  scheduled_seen.clear();
}
