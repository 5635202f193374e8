// CronSchedule: when a cron expression is due. CronEvent: a call of a Worker's scheduled handler.
//
//     CronSchedule every_night = *CronSchedule::parse("30 3 * * *");
//     SystemTime next = every_night.next(now);
//
// In a Worker the host calls ESC_SCHEDULED's handler (wasm_glue/events.h); natively and in simulations
// run_cron does.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <escapement/core/system_time.h>
#include <escapement/core/task.h>

namespace escapement {

// One call of a scheduled handler.
class CronEvent {
 public:
  CronEvent(std::string c, SystemTime s) : cron(std::move(c)), scheduled(s) {}
  std::string cron;      // the expression that was due
  SystemTime scheduled;  // the time for which it was due
};

// A handler of cron events. A failure is reported, and the next event comes as if nothing had been.
using CronHandler = std::function<Task<>(CronEvent)>;

// Minute, hour, day of the month, month, day of the week, in UTC. Each is `*`, a number, a range `1-5`, a
// step
// `*/15` or `10-30/5`, or a list of those; months and days also by name (JAN, MON). Days of the week count
// from Sunday: 0 or 7 (as cron does; Cloudflare counts it as 1). If both kinds of day are restricted, either
// counts.
class CronSchedule {
 public:
  // Parses an expression. Fails with Errc::invalid_argument, which says where; also for one that is never due
  // (30 FEB).
  static Result<CronSchedule> parse(std::string_view expression);

  // Returns the first time after `after` at which it is due: a whole minute.
  SystemTime next(SystemTime after) const;

 private:
  CronSchedule() = default;
  bool day_matches(std::int64_t days_since_1970) const;

  std::uint64_t minutes_ = 0;  // a bit for each
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0;
  std::uint64_t months_ = 0;
  std::uint64_t weekdays_ = 0;
  bool any_day_ = false;
  bool any_weekday_ = false;
};

// Calls `handler` each time that `expression` is due by the reactor's wall clock, never early, one call after
// the other; a time that comes while a call runs is dropped. Runs until it is cancelled. A failure of the
// handler is unhandled (Reactor::on_unhandled_failure). Fails with invalid_argument.
Task<> run_cron(std::string expression, CronHandler handler);

}  // namespace escapement
