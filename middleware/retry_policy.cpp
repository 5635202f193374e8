#include <escapement/middleware/retry_policy.h>

#include <algorithm>
#include <charconv>

namespace escapement::http {

namespace {

constexpr Verdict no;
constexpr Verdict backoff{true, std::nullopt};

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const std::from_chars_result read = std::from_chars(text.data(), end, value);
  if (text.empty() || text[0] == '-' || read.ptr != end) return std::nullopt;
  if (read.ec == std::errc::result_out_of_range) return INT64_MAX;
  return value;
}

SystemTime clock_of(const Headers& headers, SystemTime now) {
  const std::string* date = headers.get("date");
  if (date == nullptr) return now;
  const Result<SystemTime> parsed = SystemTime::parse_http_date(*date, now);
  return parsed ? *parsed : now;
}

// Until an exhausted rate limit is filled again, where the headers say so.
std::optional<Duration> rate_limit_reset(const Headers& headers, SystemTime now) {
  const std::string* reset = headers.get("x-ratelimit-reset");
  if (reset == nullptr || headers.get_or("x-ratelimit-remaining", "") != "0") return std::nullopt;
  const std::optional<std::int64_t> seconds = whole_number(*reset);
  if (!seconds) return std::nullopt;
  const SystemTime at = SystemTime::from_unix_milliseconds(detail::multiply_saturating(*seconds, 1000));
  return std::max(at - clock_of(headers, now), Duration());
}

Verdict judge_error(bool idempotent, const Error& error) {
  switch (error.code()) {
    case Errc::unavailable:
    case Errc::overloaded:
    case Errc::reset: return idempotent || !error.maybe_sent() ? backoff : no;
    case Errc::timed_out: return idempotent || !error.maybe_sent() ? backoff : no;
    default: return no;
  }
}

Verdict judge_status(bool idempotent, const Response& response, SystemTime now) {
  std::optional<Duration> delay = retry_after(response.headers, now);
  switch (response.status) {
    case 408: return idempotent ? Verdict{true, delay} : no;
    case 413: return idempotent && delay ? Verdict{true, delay} : no;
    case 425: return Verdict{true, delay.value_or(Duration())};
    case 403: delay = rate_limit_reset(response.headers, now); return delay ? Verdict{true, delay} : no;
    case 429:
      if (!delay) delay = rate_limit_reset(response.headers, now);
      return Verdict{true, delay};
    case 503: return idempotent || delay ? Verdict{true, delay} : no;
    case 500:
    case 502:
    case 504:
    case 524: return idempotent ? backoff : no;
    case 521:
    case 522: return backoff;
    default: return no;
  }
}

}  // namespace

bool idempotent(const Method& method, const Headers& headers) {
  return method.idempotent() || headers.has("idempotency-key") || headers.has("x-idempotency-key");
}

Verdict judge(bool idempotent, const Attempt& attempt, SystemTime now) {
  if (attempt.error() != nullptr) return judge_error(idempotent, *attempt.error());
  return judge_status(idempotent, *attempt.response(), now);
}

std::optional<Duration> retry_after(const Headers& headers, SystemTime now) {
  const std::string* value = headers.get("retry-after");
  if (value == nullptr) return std::nullopt;
  if (const std::optional<std::int64_t> seconds = whole_number(*value)) {
    return Duration::nanoseconds(1'000'000'000) * *seconds;
  }
  const Result<SystemTime> date = SystemTime::parse_http_date(*value, now);
  if (!date) return std::nullopt;
  return std::max(*date - clock_of(headers, now), Duration());
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
