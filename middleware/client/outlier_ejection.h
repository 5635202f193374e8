// OutlierEjection: which of several upstreams fail more than the others, and for how long they are left out.

#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <escapement/core/time.h>
#include <escapement/middleware/client/retry_policy.h>

namespace escapement::http {

// The numbers of an OutlierEjection. Those of Envoy.
class OutlierEjectionOptions {
 public:
  int consecutive_failures = 5;  // so many in a row eject an upstream; 0: never for that
  Duration interval = 10s;       // in which success rates are measured; above zero (checked)
  Duration ejection = 30s;       // the first time; times the number of ejections after that
  Duration ejection_max = 300s;  // no longer than this
  double share_max = 0.1;     // of the upstreams, from 0 to 1 (checked), but one in any case, and never all
  double deviations = 1.9;    // of the success rates below their mean eject an upstream; 0: never for that
  std::size_t hosts_min = 5;  // fewer upstreams with enough requests are not compared
  std::size_t requests_min = 100;  // in an interval; upstreams with fewer are not compared
  // Says whether an outcome is a failure. Empty: speaks_against_service (circuit_breaker.h).
  std::function<bool(const Attempt&)> failed = {};
  // Called with the upstream's number when it is ejected, until when. May be empty.
  std::function<void(std::size_t upstream, Instant until)> observer = {};
};

// A state machine without clock or I/O; Balance drives it. `now` must not go back.
//
// An upstream is ejected at once by `consecutive_failures`, and at the end of an interval if its success rate
// is less than the mean of the rates, less `deviations` times their standard deviation. It comes back by
// itself when its time has passed. Each interval that it then stays makes its next ejection shorter by one
// step again. Outcomes of an ejected upstream do not count: those calls began before. Intervals end with the
// first call after them; no timer is needed.
//
// Source: Envoy's outlier detection.
class OutlierEjection {
 public:
  // Makes a state for so many upstreams, which are numbered from 0.
  explicit OutlierEjection(std::size_t upstreams, OutlierEjectionOptions options = OutlierEjectionOptions());

  // Returns whether an upstream is left out at `now`.
  bool ejected(std::size_t upstream, Instant now) const { return now < hosts_[upstream].ejected_until; }
  // Counts an outcome. One that was cancelled counts neither way.
  void note(std::size_t upstream, const Attempt& attempt, Instant now);
  // Ends the intervals that are over. `note` does that too.
  void advance(Instant now);

 private:
  struct Host {
    int failures_in_a_row = 0;
    std::uint64_t successes = 0;  // in this interval
    std::uint64_t failures = 0;
    int ejections = 0;  // fewer with each good interval
    Instant ejected_until;
    double success_rate() const {
      return static_cast<double>(successes) / static_cast<double>(successes + failures);
    }
  };

  void compare(Instant now);
  void eject(std::size_t upstream, Instant now);

  OutlierEjectionOptions options_;
  std::vector<Host> hosts_;
  std::size_t ejected_max_;
  Instant interval_ends_ = Instant::never();  // never: none has begun
};

}  // namespace escapement::http
