#include <escapement/io/bindings/cron.h>

#include <chrono>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/reactor.h>
#include <escapement/timers/sleep.h>

namespace escapement {

namespace {

constexpr std::string_view month_names = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
constexpr std::string_view weekday_names = "SUNMONTUEWEDTHUFRISAT";

struct Field {
  std::string_view name;
  int first;
  int last;
  std::string_view names = {};  // three letters each, from `first`
};

Error wrong(std::string_view text, const Field& field) {
  return Error(Errc::invalid_argument,
               "a cron expression's " + std::string(field.name) + ": \"" + std::string(text) + '"');
}

std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == text.npos ? text.size() : at + 1);
  return part;
}

std::optional<int> parse_value(std::string_view text, const Field& field) {
  for (std::size_t i = 0; text.size() == 3 && i < field.names.size(); i += 3) {
    if (equal_ignoring_case(text, field.names.substr(i, 3))) return field.first + static_cast<int>(i / 3);
  }
  const std::optional<int> value = parse_number<int>(text);
  if (!value || *value < field.first || *value > field.last) return std::nullopt;
  return value;
}

// Returns a bit for each value of a field.
Result<std::uint64_t> parse_field(std::string_view text, const Field& field) {
  std::uint64_t bits = 0;
  std::string_view rest = text;
  do {
    std::string_view item = take_until(rest, ',');
    const bool stepped = item.find('/') != item.npos;
    std::string_view range = take_until(item, '/');
    const int step = stepped ? parse_number<int>(item).value_or(0) : 1;
    std::optional<int> first = field.first;
    std::optional<int> last = field.last;
    if (range != "*") {
      const bool whole_range = range.find('-') != range.npos;
      first = parse_value(take_until(range, '-'), field);
      last = whole_range ? parse_value(range, field) : stepped ? std::optional<int>(field.last) : first;
    }
    if (!first || !last || *first > *last || step < 1) return wrong(text, field);
    for (int i = *first; i <= *last; i += step) bits |= std::uint64_t{1} << i;
  } while (!rest.empty());
  if (text.empty() || text.back() == ',') return wrong(text, field);
  return bits;
}

bool has(std::uint64_t bits, unsigned value) { return (bits >> value & 1) != 0; }

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t day_ms = 24 * 60 * minute_ms;
constexpr std::int64_t days_to_look = 366 * 9;  // from one 29 February to the next: 8 years, round 2100

}  // namespace

Result<CronSchedule> CronSchedule::parse(std::string_view expression) {
  static constexpr Field fields[] = {{"minute", 0, 59},
                                     {"hour", 0, 23},
                                     {"day of the month", 1, 31},
                                     {"month", 1, 12, month_names},
                                     {"day of the week", 0, 7, weekday_names}};
  CronSchedule schedule;
  std::uint64_t* const into[] = {&schedule.minutes_, &schedule.hours_, &schedule.days_, &schedule.months_,
                                 &schedule.weekdays_};
  bool* const any[] = {nullptr, nullptr, &schedule.any_day_, nullptr, &schedule.any_weekday_};
  std::string_view rest = expression;
  for (std::size_t i = 0; i < 5; ++i) {
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    const std::string_view text = take_until(rest, ' ');
    Result<std::uint64_t> bits = parse_field(text, fields[i]);
    if (!bits) return std::move(bits).error();
    *into[i] = *bits;
    if (any[i] != nullptr) *any[i] = text.starts_with('*');
  }
  if (rest.find_first_not_of(' ') != rest.npos) {
    return Error(Errc::invalid_argument,
                 "a cron expression has five fields: \"" + std::string(expression) + '"');
  }
  if (has(schedule.weekdays_, 7)) schedule.weekdays_ |= 1;
  if (schedule.next(SystemTime()) == SystemTime()) {
    return Error(Errc::invalid_argument,
                 "a cron expression that is never due: \"" + std::string(expression) + '"');
  }
  return schedule;
}

bool CronSchedule::day_matches(std::int64_t days_since_1970) const {
  const std::chrono::sys_days day{std::chrono::days(days_since_1970)};
  const std::chrono::year_month_day date(day);
  if (!has(months_, static_cast<unsigned>(date.month()))) return false;
  const bool of_month = has(days_, static_cast<unsigned>(date.day()));
  const bool of_week = has(weekdays_, std::chrono::weekday(day).c_encoding());
  return any_day_ || any_weekday_ ? of_month && of_week : of_month || of_week;
}

// Returns the epoch if there is none, which only `parse` sees.
SystemTime CronSchedule::next(SystemTime after) const {
  const std::int64_t first = after.unix_milliseconds() / minute_ms + 1;  // in minutes
  std::int64_t minute = first % (day_ms / minute_ms);
  const std::int64_t first_day = first / (day_ms / minute_ms);
  for (std::int64_t day = first_day; day < first_day + days_to_look; ++day, minute = 0) {
    if (!day_matches(day)) continue;
    for (; minute < 24 * 60; ++minute) {
      if (has(hours_, static_cast<unsigned>(minute / 60)) &&
          has(minutes_, static_cast<unsigned>(minute % 60))) {
        return SystemTime::from_unix_milliseconds(day * day_ms + minute * minute_ms);
      }
    }
  }
  return SystemTime();
}

Task<> run_cron(std::string expression, CronHandler handler) {
  Reactor& reactor = co_await this_reactor;
  const CronSchedule schedule = co_await CronSchedule::parse(expression);
  for (;;) {
    const SystemTime due = schedule.next(reactor.backend().system_now());
    for (;;) {
      const Duration left = due - reactor.backend().system_now();
      if (left <= Duration()) break;
      co_await sleep(left);
    }
    Result<> handled = co_await handler(CronEvent(expression, due)).result();
    if (!handled) reactor.report_unhandled(handled.error());
  }
}

}  // namespace escapement
