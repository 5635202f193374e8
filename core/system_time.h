// Wall-clock time, for dates in messages. Not for deadlines: it may jump (time.h has the clock for those).

#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <escapement/core/error.h>
#include <escapement/core/time.h>

namespace escapement {

// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds. The text forms cover the years 1970 to 9999.
class SystemTime {
 public:
  constexpr SystemTime() = default;
  // Makes the time that is so many milliseconds after 1970-01-01T00:00:00Z.
  static constexpr SystemTime from_unix_milliseconds(std::int64_t milliseconds) {
    return SystemTime(milliseconds);
  }
  // Returns the milliseconds since 1970-01-01T00:00:00Z.
  constexpr std::int64_t unix_milliseconds() const { return ms_; }

  constexpr auto operator<=>(const SystemTime&) const = default;

  // Adds whole milliseconds; saturates.
  friend constexpr SystemTime operator+(SystemTime at, Duration by) {
    return SystemTime(detail::add_saturating(at.ms_, by.count() / 1'000'000));
  }
  friend constexpr Duration operator-(SystemTime later, SystemTime earlier) {
    return Duration::nanoseconds(
        detail::multiply_saturating(detail::subtract_saturating(later.ms_, earlier.ms_), 1'000'000));
  }

  // Formats the time as "2026-11-24T09:00:00.250Z" (RFC 3339). A time outside 1970 to 9999 is printed as the
  // nearest one inside.
  std::string rfc3339() const;
  // Parses any RFC 3339 time, with offset; digits beyond milliseconds are dropped. Fails with
  // Errc::invalid_argument.
  static Result<SystemTime> parse_rfc3339(std::string_view text);

  // Formats the time as "Tue, 24 Nov 2026 09:00:00 GMT" (IMF-fixdate, RFC 9110 section 5.6.7); milliseconds
  // are dropped.
  std::string http_date() const;
  // Parses the three forms that RFC 9110 requires a recipient to accept: IMF-fixdate, RFC 850 (a two-digit
  // year more than 50 years ahead of `now` is in the past) and asctime. Also accepts what else is sent in
  // practice: other names of GMT ("UTC", "UT", "Z"), offsets ("-0000", "+0100"), no day of the week, a day of
  // one digit. Fails with Errc::invalid_argument.
  static Result<SystemTime> parse_http_date(std::string_view text, SystemTime now);

 private:
  constexpr explicit SystemTime(std::int64_t ms) : ms_(ms) {}

  std::int64_t ms_ = 0;
};

}  // namespace escapement
