// Backoff rules: the waits between attempts as other clients draw them, for a Retry that replaces one of
// them.

#pragma once

#include <functional>

#include <escapement/core/random.h>
#include <escapement/core/time.h>

namespace escapement::http {

// The course of one call's waits.
class BackoffState {
 public:
  int retry = 0;       // 0 for the first retry
  Duration previous;   // the wait before the last one; zero for the first retry
  double carried = 0;  // for the rule to keep something in between two waits of a call
};

// Returns the wait before a retry. Called once for each; what it draws comes from `random`, so that a
// simulation repeats it. Waits that a server names are not its business.
//
//     static const BackoffRule rule = equal_jitter(100ms, 20s);   // must outlive the calls
//     static const BackoffRule mine = [](BackoffState& state, Random&) { return 1s * (state.retry + 1); };
//     Retry retry;
//     retry.delays = &rule;
using BackoffRule = std::function<Duration(BackoffState& state, Random& random)>;

// In these n is the number of the retry, from 0; U draws uniformly; x is min(most, base * 2^n). None
// overflows, and none is below zero or above `most`. Retry's own rules are x (Jitter::none) and U(0, x)
// (Jitter::full), which is the best known of them: it spreads the most.

// x/2 + U(0, x/2).
BackoffRule equal_jitter(Duration base, Duration most);
// min(most, U(base, 3 * the wait before)), and `base` in place of the first one. Source: AWS.
BackoffRule decorrelated_jitter(Duration base, Duration most);
// min(most, x + U(0, 1) * jitter * x). Source: tower's ExponentialBackoff, whose defaults these are.
BackoffRule proportional_jitter(Duration base = 50ms, Duration most = Duration::max(), double jitter = 0.99);
// min(most, base * multiplier^n) * U(0.8, 1.2), at most 1.2 times `most`. Source: gRPC A6.
BackoffRule multiplied_backoff(Duration base, double multiplier, Duration most);
// 2^n s and up to 100 ms more. Source: got.
BackoffRule seconds_doubling();
// (n + 1)^2 s. Source: octokit's plugin-retry.
BackoffRule seconds_squared();
// A smoothed curve around base * 2^n, whose sum grows without jumps. Source: Polly, DecorrelatedJitterV2.
BackoffRule smoothed_jitter(Duration base, Duration most);
// min(most, base * 2^n * e^(deviation * N(0, 1))). Source: folly.
BackoffRule lognormal_jitter(Duration base, Duration most, double deviation = 0.25);

}  // namespace escapement::http
