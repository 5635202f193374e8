#include <escapement/middleware/client/backoff.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <escapement/middleware/client/retry_policy.h>

namespace escapement::http {

namespace {

// Returns a number in [0, 1), with 53 random bits.
double fraction(Random& random) {
  return static_cast<double>(random.next() >> 11) / static_cast<double>(1ULL << 53);
}

// Returns `length` times `factor`, from zero to `most`.
Duration scaled(Duration length, double factor, Duration most) {
  const double product = static_cast<double>(length.count()) * factor;
  if (!(product > 0)) return Duration();
  if (product >= static_cast<double>(most.count())) return most;
  return Duration::nanoseconds(static_cast<std::int64_t>(product));
}

// Returns a number of the normal distribution, by Box and Muller.
double normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - fraction(random)));
  return radius * std::cos(2 * std::numbers::pi * fraction(random));
}

// Returns 2^retry, without an end that no wait could have.
double power_of_two(int retry) { return std::ldexp(1.0, std::min(retry, 100)); }

}  // namespace

BackoffRule equal_jitter(Duration base, Duration most) {
  return [base, most](BackoffState& state, Random& random) {
    const Duration half = exponential_backoff(base, most, state.retry) / 2;
    return half + full_jitter(half, random);
  };
}

BackoffRule decorrelated_jitter(Duration base, Duration most) {
  return [base, most](BackoffState& state, Random& random) {
    const Duration before = state.retry == 0 ? base : std::max(base, state.previous);
    const Duration spread = scaled(before, 3, Duration::max()) - base;
    return std::min(most, base + full_jitter(std::max(Duration(), spread), random));
  };
}

BackoffRule proportional_jitter(Duration base, Duration most, double jitter) {
  return [base, most, jitter](BackoffState& state, Random& random) {
    const Duration delay = exponential_backoff(base, most, state.retry);
    return scaled(delay, 1 + (1 - fraction(random)) * jitter, most);
  };
}

BackoffRule multiplied_backoff(Duration base, double multiplier, Duration most) {
  return [base, multiplier, most](BackoffState& state, Random& random) {
    const Duration delay = scaled(base, std::pow(multiplier, state.retry), most);
    return scaled(delay, 0.8 + 0.4 * fraction(random), Duration::max());
  };
}

BackoffRule seconds_doubling() {
  return [](BackoffState& state, Random& random) {
    return scaled(1s, power_of_two(state.retry), Duration::max() - 1s) + full_jitter(100ms, random);
  };
}

BackoffRule seconds_squared() {
  return [](BackoffState& state, Random&) {
    const double number = state.retry + 1.0;
    return scaled(1s, number * number, Duration::max());
  };
}

BackoffRule smoothed_jitter(Duration base, Duration most) {
  return [base, most](BackoffState& state, Random& random) {
    const double at = std::min(state.retry, 100) + fraction(random);
    const double curve = std::exp2(at) * std::tanh(std::sqrt(4 * at));
    const double step = curve - state.carried;
    state.carried = curve;
    return scaled(base, step / 1.4, most);
  };
}

BackoffRule lognormal_jitter(Duration base, Duration most, double deviation) {
  return [base, most, deviation](BackoffState& state, Random& random) {
    return scaled(base, power_of_two(state.retry) * std::exp(deviation * normal(random)), most);
  };
}

}  // namespace escapement::http
