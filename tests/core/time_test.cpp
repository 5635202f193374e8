// Duration and Instant against 128-bit arithmetic, at the ends of their range and everywhere between.

#include <escapement/core/time.h>

#include <limits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

using namespace escapement;

namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

std::int64_t clamp(Wide value) {
  if (value > most) return most;
  if (value < least) return least;
  return static_cast<std::int64_t>(value);
}

Duration ns(std::int64_t count) { return Duration::nanoseconds(count); }
Instant at(std::int64_t count) { return Instant::from_nanoseconds(count); }

// The ends, zero, and random numbers of every size.
std::vector<std::int64_t> interesting() {
  std::vector<std::int64_t> values = {least, least + 1, -2, -1, 0, 1, 2, most - 1, most, most / 2, least / 2};
  Random random(11);
  for (int bits = 1; bits < 64; ++bits) {
    values.push_back(static_cast<std::int64_t>(random.next() >> bits));
    values.push_back(-static_cast<std::int64_t>(random.next() >> bits));
  }
  return values;
}

}  // namespace

TEST_CASE("Duration: arithmetic is exact where it fits and saturates where not") {
  int wrong = 0;
  for (const std::int64_t a : interesting()) {
    for (const std::int64_t b : interesting()) {
      if ((ns(a) + ns(b)).count() != clamp(Wide{a} + b)) ++wrong;
      if ((ns(a) - ns(b)).count() != clamp(Wide{a} - b)) ++wrong;
      if ((ns(a) * b).count() != clamp(Wide{a} * b)) ++wrong;
      if ((b * ns(a)).count() != clamp(Wide{a} * b)) ++wrong;
      if (b != 0 && (ns(a) / b).count() != clamp(Wide{a} / b)) ++wrong;
      if (b != 0 && ns(a) / ns(b) != clamp(Wide{a} / b)) ++wrong;
      if ((at(a) + ns(b)).nanoseconds() != clamp(Wide{a} + b)) ++wrong;
      if ((at(a) - ns(b)).nanoseconds() != clamp(Wide{a} - b)) ++wrong;
      if ((at(a) - at(b)).count() != clamp(Wide{a} - b)) ++wrong;
      if ((ns(a) < ns(b)) != (a < b) || (at(a) < at(b)) != (a < b)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("Duration: from whole chrono lengths, saturating") {
  STATIC_CHECK(Duration(1h).count() == 3'600'000'000'000);
  STATIC_CHECK(Duration(-1ns).count() == -1);
  using std::chrono::duration;
  CHECK(Duration(duration<std::int64_t, std::ratio<86400 * 365>>(292)).count() ==
        Wide{292} * 31'536'000 * 1'000'000'000);
  CHECK(Duration(duration<std::int64_t, std::ratio<86400 * 365>>(293)) == Duration::max());
  CHECK(Duration(duration<std::int64_t, std::ratio<86400 * 365>>(-293)) == Duration::min());
  CHECK(Duration(std::chrono::duration<std::int64_t, std::ratio<3600>>(most)) == Duration::max());
  CHECK(Duration(std::chrono::duration<std::int64_t, std::ratio<3600>>(least)) == Duration::min());
  CHECK(Duration(std::chrono::nanoseconds(most)) == Duration::max());
}

TEST_CASE("Duration: units finer than a nanosecond are cut, towards zero") {
  using Pico = std::chrono::duration<std::int64_t, std::pico>;
  CHECK(Duration(Pico(1999)).count() == 1);
  CHECK(Duration(Pico(-1999)).count() == -1);
  CHECK(Duration(Pico(most)).count() == most / 1000);
}

TEST_CASE("Duration: units that are fractions of each other keep their precision over the whole range") {
  using Third = std::chrono::duration<std::int64_t, std::ratio<1, 3>>;  // a third of a second
  CHECK(Duration(Third(1)).count() == 333'333'333);
  CHECK(Duration(Third(3)) == Duration(1s));
  CHECK(Duration(Third(3LL * 9'000'000'000)) == Duration(9'000'000'000s));
  CHECK(Duration(Third(3LL * 9'300'000'000)) == Duration::max());
  CHECK(Duration(Third(3LL * -9'300'000'000)) == Duration::min());
}

TEST_CASE("Duration: from unsigned lengths beyond the range") {
  using Unsigned = std::chrono::duration<std::uint64_t, std::nano>;
  CHECK(Duration(Unsigned(5)).count() == 5);
  CHECK(Duration(Unsigned(std::uint64_t{1} << 63)) == Duration::max());
  CHECK(Duration(Unsigned(UINT64_MAX)) == Duration::max());
}

TEST_CASE("Duration: from floating lengths: infinities, NaN, fractions") {
  using Seconds = std::chrono::duration<double>;
  using Limits = std::numeric_limits<double>;
  CHECK(Duration(Seconds(0.5)) == Duration(500ms));
  CHECK(Duration(Seconds(-1e-9)).count() == -1);
  CHECK(Duration(Seconds(1e-10)).count() == 0);
  CHECK(Duration(Seconds(Limits::infinity())) == Duration::max());
  CHECK(Duration(Seconds(-Limits::infinity())) == Duration::min());
  CHECK(Duration(Seconds(Limits::quiet_NaN())) == Duration());
  CHECK(Duration(Seconds(9223372036.854775)) < Duration::max());
  CHECK(Duration(Seconds(9223372036.854776)) == Duration::max());
  CHECK(Duration(std::chrono::duration<float, std::milli>(1.5f)) == Duration(1500us));
}

TEST_CASE("Duration: as floating seconds and milliseconds") {
  CHECK(Duration(1500ms).seconds() == 1.5);
  CHECK(Duration(1500us).milliseconds() == 1.5);
}

TEST_CASE("Instant: never is later than everything, and stays") {
  CHECK(Instant::never() > at(most - 1));
  CHECK(Instant::never() + Duration(1s) == Instant::never());
  CHECK(at(5) + Duration::max() == Instant::never());
  CHECK(at(least) - Duration(1s) == at(least));
}

TEST_CASE("Duration and Instant saturate") {
  CHECK(Duration(std::chrono::hours::max()) == Duration::max());
  CHECK(Duration(std::chrono::hours::min()) == Duration::min());
  CHECK(Duration(std::chrono::duration<double>(1e300)) == Duration::max());
  CHECK(Duration(std::chrono::duration<double>(0.25)) == Duration(250ms));
  CHECK(Duration::max() + Duration(1ns) == Duration::max());
  CHECK(Duration::min() - Duration(1ns) == Duration::min());
  CHECK(Duration::max() * 2 == Duration::max());
  CHECK(Duration::max() * -2 == Duration::min());
  CHECK(Duration::min() / -1 == Duration::max());
  CHECK(Instant() + Duration::max() == Instant::never());
  CHECK(Instant::never() + Duration(1s) == Instant::never());
  CHECK(Instant::never() - Instant::from_nanoseconds(-5) == Duration::max());
}
