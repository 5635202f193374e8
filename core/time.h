// Time as the library counts it: signed 64-bit nanoseconds, monotonic, saturating.
//
// `Duration` is a length, `Instant` a point on the reactor's monotonic clock. Both saturate instead of
// wrapping: `now + Duration::max()` is `Instant::never()`, and a timer set there never fires. Any
// `std::chrono` length converts to a `Duration` by itself, so the standard literals (250ms, 3s) are how
// lengths are written:
//
//     using namespace std::chrono_literals;
//     co_await sleep(250ms);
//
// An `Instant` counts from an epoch that the backend chooses (boot time natively, zero in a simulation);
// only differences mean something. The clock does not run while the machine is suspended where the host's
// monotonic clock does not (CLOCK_MONOTONIC on Linux). For wall-clock time see system_time.h.

#pragma once

#include <chrono>
#include <compare>
#include <concepts>
#include <cstdint>
#include <limits>

namespace escapement {

using namespace std::chrono_literals;  // 250ms, 3s: how every length in this library is written

namespace detail {

constexpr std::int64_t add_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

constexpr std::int64_t subtract_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return b < 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

constexpr std::int64_t multiply_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  return (a < 0) == (b < 0) ? std::numeric_limits<std::int64_t>::max()
                            : std::numeric_limits<std::int64_t>::min();
}

// An unsigned count beyond the signed range must not turn negative: a deadline in the far future would be
// due at once.
template <class Count>
constexpr std::int64_t to_signed(Count count) {
  if constexpr (std::unsigned_integral<Count>) {
    constexpr std::int64_t limit = std::numeric_limits<std::int64_t>::max();
    if (count > static_cast<std::uint64_t>(limit)) return limit;
  }
  return static_cast<std::int64_t>(count);
}

// Nanoseconds in a floating-point count, saturated; NaN becomes zero.
constexpr std::int64_t from_floating(double nanoseconds) {
  constexpr double limit = 9223372036854775807.0;  // 2^63 once rounded
  if (nanoseconds >= limit) return std::numeric_limits<std::int64_t>::max();
  if (nanoseconds <= -limit) return std::numeric_limits<std::int64_t>::min();
  return nanoseconds == nanoseconds ? static_cast<std::int64_t>(nanoseconds) : 0;
}

}  // namespace detail

// A length of time in whole nanoseconds, from -292 to +292 years. Arithmetic saturates.
class Duration {
 public:
  constexpr Duration() = default;

  // Converts any std::chrono length. Whole units saturate; fractions of a nanosecond are cut off.
  template <class Rep, class Period>
  constexpr Duration(std::chrono::duration<Rep, Period> length) : ns_(convert(length)) {}

  // Makes a length of so many nanoseconds.
  static constexpr Duration nanoseconds(std::int64_t count) { return Duration(count, Raw{}); }
  // Returns the longest length; as a limit: none.
  static constexpr Duration max() { return nanoseconds(std::numeric_limits<std::int64_t>::max()); }
  // Returns the most negative length.
  static constexpr Duration min() { return nanoseconds(std::numeric_limits<std::int64_t>::min()); }

  // Returns the length in nanoseconds.
  constexpr std::int64_t count() const { return ns_; }
  // Returns the length in seconds, rounded as a double is.
  constexpr double seconds() const { return static_cast<double>(ns_) * 1e-9; }
  // Returns the length in milliseconds, rounded as a double is.
  constexpr double milliseconds() const { return static_cast<double>(ns_) * 1e-6; }

  constexpr auto operator<=>(const Duration&) const = default;

  friend constexpr Duration operator+(Duration a, Duration b) {
    return nanoseconds(detail::add_saturating(a.ns_, b.ns_));
  }
  friend constexpr Duration operator-(Duration a, Duration b) {
    return nanoseconds(detail::subtract_saturating(a.ns_, b.ns_));
  }
  friend constexpr Duration operator*(Duration a, std::int64_t factor) {
    return nanoseconds(detail::multiply_saturating(a.ns_, factor));
  }
  friend constexpr Duration operator*(std::int64_t factor, Duration a) { return a * factor; }
  // Integer division towards zero. The divisor is not zero.
  friend constexpr Duration operator/(Duration a, std::int64_t divisor) {
    if (divisor == -1) return Duration() - a;
    return nanoseconds(a.ns_ / divisor);
  }
  friend constexpr std::int64_t operator/(Duration a, Duration b) { return (a / b.ns_).ns_; }
  constexpr Duration& operator+=(Duration b) { return *this = *this + b; }
  constexpr Duration& operator-=(Duration b) { return *this = *this - b; }

 private:
  struct Raw {};
  constexpr Duration(std::int64_t ns, Raw) : ns_(ns) {}

  template <class Rep, class Period>
  static constexpr std::int64_t convert(std::chrono::duration<Rep, Period> length) {
    using Ratio = std::ratio_divide<Period, std::nano>;
    if constexpr (std::floating_point<Rep>) {
      return detail::from_floating(static_cast<double>(length.count()) *
                                   (static_cast<double>(Ratio::num) / static_cast<double>(Ratio::den)));
    } else {
      // Whole units first: multiplying before dividing would saturate lengths that fit.
      const std::int64_t count = detail::to_signed(length.count());
      return detail::add_saturating(detail::multiply_saturating(count / Ratio::den, Ratio::num),
                                    detail::multiply_saturating(count % Ratio::den, Ratio::num) / Ratio::den);
    }
  }

  std::int64_t ns_ = 0;
};

// A point on the monotonic clock. Arithmetic saturates at `never()`.
class Instant {
 public:
  constexpr Instant() = default;

  // Makes the instant so many nanoseconds after the clock's epoch.
  static constexpr Instant from_nanoseconds(std::int64_t since_epoch) { return Instant(since_epoch); }
  // Later than every other instant: a deadline that never comes.
  static constexpr Instant never() { return Instant(std::numeric_limits<std::int64_t>::max()); }

  // Returns the nanoseconds since the clock's epoch.
  constexpr std::int64_t nanoseconds() const { return ns_; }

  constexpr auto operator<=>(const Instant&) const = default;

  friend constexpr Instant operator+(Instant at, Duration by) {
    return Instant(detail::add_saturating(at.ns_, by.count()));
  }
  friend constexpr Instant operator-(Instant at, Duration by) {
    return Instant(detail::subtract_saturating(at.ns_, by.count()));
  }
  friend constexpr Duration operator-(Instant later, Instant earlier) {
    return Duration::nanoseconds(detail::subtract_saturating(later.ns_, earlier.ns_));
  }

 private:
  constexpr explicit Instant(std::int64_t ns) : ns_(ns) {}

  std::int64_t ns_ = 0;
};

}  // namespace escapement
