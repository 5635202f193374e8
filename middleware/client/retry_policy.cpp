#include <escapement/middleware/client/retry_policy.h>

#include <algorithm>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/number.h>

namespace escapement::http {

namespace {

constexpr RetryDecision no;
constexpr RetryDecision backoff{true};

constexpr Duration unreadable = Duration::max();
constexpr Duration too_many_requests_wait = 60s;

// A number such as "120" or "1.5".
struct Decimal {
  std::int64_t whole = 0;  // saturated
  std::int64_t billionths = 0;

  Duration as_seconds() const { return Duration(1s) * whole + Duration::nanoseconds(billionths); }
};

std::optional<Decimal> decimal(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const auto whole = parse_saturated<std::int64_t>(text.substr(0, point));
  if (!whole) return std::nullopt;
  Decimal number{*whole};
  if (point == text.size()) return number;
  std::int64_t unit = 100'000'000;
  for (const char digit : text.substr(point + 1)) {
    if (!is_digit(digit)) return std::nullopt;
    number.billionths += unit > 0 ? unit * (digit - '0') : digit != '0';  // digits that are cut round up
    unit /= 10;
  }
  return number;
}

std::optional<SystemTime> date(std::string_view text, SystemTime now) {
  Result<SystemTime> date = SystemTime::parse_http_date(text, now);
  if (!date) date = SystemTime::parse_rfc3339(text);
  return date ? std::optional<SystemTime>(*date) : std::nullopt;
}

SystemTime clock_of(const Headers& headers, SystemTime now) {
  const std::string* date = headers.get("date");
  if (date == nullptr) return now;
  const Result<SystemTime> parsed = SystemTime::parse_http_date(*date, now);
  return parsed ? *parsed : now;
}

// Reads the reset of a rate limit, in any of the forms in use.
Duration until_reset(std::string_view reset, SystemTime clock, SystemTime now) {
  constexpr std::int64_t three_years = 100'000'000;        // a larger number of seconds is a date
  constexpr std::int64_t year_5138 = 1'000 * three_years;  // a later date is in milliseconds
  SystemTime at;
  if (const std::optional<Decimal> number = decimal(reset)) {
    if (number->whole <= three_years) return number->as_seconds();
    const bool milliseconds = number->whole > year_5138;
    const std::int64_t since_1970 = milliseconds ? number->whole : number->whole * 1000;
    at = SystemTime::from_unix_milliseconds(since_1970 +
                                            (milliseconds ? 0 : (number->billionths + 999'999) / 1'000'000));
  } else if (const std::optional<SystemTime> read = date(reset, now)) {
    at = *read;
  } else {
    return unreadable;
  }
  return std::max(at - clock, Duration());
}

// Returns the time until an exhausted rate limit resets, if the header fields say so; the longest if there
// are several.
std::optional<Duration> rate_limit_reset(const Headers& headers, bool surely_exhausted, SystemTime now) {
  std::optional<Duration> longest;
  const auto see = [&](std::string_view remaining, std::string_view reset) {
    const bool exhausted = remaining == "0" || (remaining.empty() && surely_exhausted);
    if (!exhausted || reset.empty()) return;
    longest = std::max(longest.value_or(Duration()), until_reset(reset, clock_of(headers, now), now));
  };
  for (const std::string prefix : {"x-ratelimit-", "x-rate-limit-", "ratelimit-"}) {
    see(headers.get_or(prefix + "remaining", ""), headers.get_or(prefix + "reset", ""));
  }
  const std::string limits = headers.joined("ratelimit").value_or("");
  std::string_view list = limits;
  see(list_parameter(list, "remaining"), list_parameter(list, "reset"));
  while (!list.empty()) {  // one policy per element
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view policy = list.substr(0, end);
    see(list_parameter(policy, "r"), list_parameter(policy, "t"));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return longest;
}

RetryDecision judge_error(bool idempotent, const Error& error) {
  switch (error.code()) {
    case Errc::unavailable:
    case Errc::overloaded:
    case Errc::reset: return idempotent || !error.maybe_sent() ? backoff : no;
    case Errc::timed_out: return idempotent || !error.maybe_sent() ? backoff : no;
    default: return no;
  }
}

RetryDecision judge_status(bool idempotent, const Response& response, SystemTime now) {
  if (response.status < 400) return no;
  const Headers& headers = response.headers;
  std::optional<Duration> asked;
  if (!headers.get_or("retry-after", "").empty()) asked = retry_after(headers, now).value_or(unreadable);
  const std::optional<Duration> delay =
      asked ? asked : rate_limit_reset(headers, response.status == 429, now);
  switch (response.status) {
    case 403: return delay ? RetryDecision{true, delay} : no;
    case 408:
    case 500:
    case 502:
    case 504:
    case 524: return idempotent ? RetryDecision{true, delay} : no;
    case 413: return idempotent && asked ? RetryDecision{true, asked} : no;
    case 425: return RetryDecision{true, delay.value_or(Duration())};
    case 429: return RetryDecision{true, delay, too_many_requests_wait};
    case 521:
    case 522: return RetryDecision{true, delay};
    case 503: return idempotent || asked ? RetryDecision{true, delay} : no;
    default: return no;
  }
}

}  // namespace

RetryDecision decide(bool idempotent, const Attempt& attempt, SystemTime now) {
  if (attempt.error() != nullptr) return judge_error(idempotent, *attempt.error());
  return judge_status(idempotent, *attempt.response(), now);
}

std::optional<Duration> retry_after(const Headers& headers, SystemTime now) {
  std::optional<Duration> longest;
  for (const Headers::Field& field : headers) {
    if (!equal_ignoring_case(field.name, "retry-after")) continue;
    Duration asked;
    if (const std::optional<Decimal> number = decimal(field.value)) {
      asked = number->as_seconds();
    } else if (const std::optional<SystemTime> at = date(field.value, now)) {
      asked = std::max(*at - clock_of(headers, now), Duration());
    } else {
      return std::nullopt;
    }
    longest = std::max(longest.value_or(Duration()), asked);
  }
  return longest;
}

Duration exponential_backoff(Duration base, Duration most, int retry) {
  return std::min(most, base * (std::int64_t{1} << std::clamp(retry, 0, 62)));
}

Duration full_jitter(Duration delay, Random& random) {
  return Duration::nanoseconds(static_cast<std::int64_t>(
      random.up_to(static_cast<std::uint64_t>(std::max<std::int64_t>(0, delay.count())))));
}

Duration positive_jitter(Duration delay, Random& random) {
  return delay + full_jitter(std::min(Duration(5s), delay / 10), random);
}

}  // namespace escapement::http
