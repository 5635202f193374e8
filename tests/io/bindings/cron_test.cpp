// CronSchedule against an obvious second implementation, and run_cron in simulated time.

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <set>

#include <escapement/core/scope.h>
#include <escapement/io/bindings/cron.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

SystemTime at(std::string_view text) { return *SystemTime::parse_rfc3339(text); }

std::string next(std::string_view expression, std::string_view after) {
  Result<CronSchedule> schedule = CronSchedule::parse(expression);
  if (!schedule) return to_string(schedule.error());
  return schedule->next(at(after)).rfc3339().substr(0, 16);
}

}  // namespace

TEST_CASE("CronSchedule: when expressions are due next") {
  CHECK(next("* * * * *", "2026-11-30T12:00:00Z") == "2026-11-30T12:01");
  CHECK(next("* * * * *", "2026-11-30T11:59:59.999Z") == "2026-11-30T12:00");
  CHECK(next("*/15 * * * *", "2026-11-30T12:45:00Z") == "2026-11-30T13:00");
  CHECK(next("30 3 * * *", "2026-12-31T03:30:00Z") == "2027-01-01T03:30");
  CHECK(next("0 0 29 2 *", "2026-01-01T00:00:00Z") == "2028-02-29T00:00");
  CHECK(next("0 0 29 feb *", "2096-03-01T00:00:00Z") == "2104-02-29T00:00");
  CHECK(next("0 12 * * MON-FRI", "2026-11-28T12:00:00Z") == "2026-11-30T12:00");
  CHECK(next("0 12 * * 7", "2026-11-30T00:00:00Z") == "2026-12-06T12:00");
  CHECK(next("0 12 13 * 5", "2026-11-30T00:00:00Z") == "2026-12-04T12:00");  // either day
  CHECK(next("0 12 */2 * 1", "2026-12-01T12:00:00Z") ==
        "2026-12-07T12:00");  // a star restricts nothing: both
  CHECK(next("5,10-12,50/5 1 1 1 *", "2026-01-01T01:12:00Z") == "2026-01-01T01:50");
}

TEST_CASE("CronSchedule: expressions that are wrong say where") {
  const auto error = [](std::string_view text) { return to_string(CronSchedule::parse(text).error()); };
  CHECK(error("60 * * * *") == "invalid_argument: a cron expression's minute: \"60\"");
  CHECK(error("* 24 * * *") == "invalid_argument: a cron expression's hour: \"24\"");
  CHECK(error("* * 0 * *") == "invalid_argument: a cron expression's day of the month: \"0\"");
  CHECK(error("* * * JAM *") == "invalid_argument: a cron expression's month: \"JAM\"");
  CHECK(error("* * * * 8") == "invalid_argument: a cron expression's day of the week: \"8\"");
  CHECK(error("* * * *") == "invalid_argument: a cron expression's day of the week: \"\"");
  CHECK(error("* * * * * *") == "invalid_argument: a cron expression has five fields: \"* * * * * *\"");
  CHECK(error("0 0 30 2 *") == "invalid_argument: a cron expression that is never due: \"0 0 30 2 *\"");
  for (const char* text :
       {"", "5- * * * *", "-5 * * * *", "5-4 * * * *", "*/0 * * * *", "*/x * * * *", "1,, * * * *",
        ", * * * *", "1, * * * *", "/5 * * * *", "+1 * * * *", "1/ * * * *"}) {
    INFO(text);
    CHECK_FALSE(CronSchedule::parse(text));
  }
}

TEST_CASE("CronSchedule: agrees with a minute by minute count") {
  const std::string_view expression = "7-50/9 */5 1,15-20 * 0,3";
  const CronSchedule schedule = *CronSchedule::parse(expression);
  SystemTime from = at("2026-11-30T00:00:00Z");
  SystemTime due = schedule.next(from);
  for (int minute = 0; minute < 120 * 24 * 60; ++minute) {
    from = from + 1min;
    const std::int64_t minutes = from.unix_milliseconds() / 60'000;
    const std::chrono::sys_days day{std::chrono::days(minutes / 1440)};
    const unsigned date = static_cast<unsigned>(std::chrono::year_month_day(day).day());
    const unsigned weekday = std::chrono::weekday(day).c_encoding();
    const std::int64_t m = minutes % 60;
    const bool day_is = date == 1 || (date >= 15 && date <= 20) || weekday == 0 || weekday == 3;
    const bool is = day_is && minutes / 60 % 24 % 5 == 0 && m >= 7 && m <= 50 && (m - 7) % 9 == 0;
    REQUIRE(is == (from == due));
    if (is) due = schedule.next(due);
  }
}

TEST_CASE("run_cron: calls at each time, never early, and goes on after a failure") {
  Sim sim;
  std::vector<std::string> calls;
  std::vector<std::string> reported;
  sim.reactor().on_unhandled_failure([&](const Error& error) { reported.push_back(to_string(error)); });
  Scope scope(sim.reactor(), nullptr);
  sim.advance(Duration::nanoseconds(999'999));
  scope.spawn(run_cron("*/10 * * * *", [&](CronEvent event) -> Task<> {
    CHECK(sim.backend().system_now() >= event.scheduled);
    calls.push_back(event.scheduled.rfc3339().substr(11, 5));
    if (calls.size() == 2) co_await sleep(15min);  // the one at 00:30 is dropped
    if (calls.size() == 3) co_await Error(Errc::internal, "on purpose");
  }));
  sim.advance(1h);
  CHECK(calls == std::vector<std::string>{"00:10", "00:20", "00:40", "00:50", "01:00"});
  CHECK(reported == std::vector<std::string>{"internal: on purpose"});
  CHECK(sim.run(run_cron("no", nullptr)).error() == Errc::invalid_argument);
}
