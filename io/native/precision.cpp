#include <escapement/io/native/precision.h>

#include <algorithm>

#include <escapement/core/detail/check.h>
#include <escapement/io/native/detail/system.h>

namespace escapement {

namespace {

constexpr Duration slack_max = 1s;
constexpr Duration stretch_max = 10ms;

// The shortest time in which a running core wakes up. Sleeping for less only makes a timer late, and costs
// more than polling for events until it is due.
constexpr Duration wake_up_least = 5us;

bool within(Duration value, Duration least, Duration most) { return value >= least && value <= most; }

}  // namespace

Result<> check(const Precision& precision) {
  if (precision.timer_slack && !within(*precision.timer_slack, 1ns, slack_max)) {
    return Error(Errc::invalid_argument, "timer_slack must be from 1 ns to 1 s");
  }
  if (!within(precision.warm_up, Duration(), stretch_max)) {
    return Error(Errc::invalid_argument, "warm_up must be from 0 to 10 ms");
  }
  if (!within(precision.spin, Duration(), stretch_max)) {
    return Error(Errc::invalid_argument, "spin must be from 0 to 10 ms");
  }
  return {};
}

namespace detail {

SleepPlan::SleepPlan(Precision precision)
    : precision_(precision), spin_(std::max(precision.spin, wake_up_least)) {
  ESC_CHECK(static_cast<bool>(check(precision)));
}

SleepPlan::~SleepPlan() {
  if (thread_ != 0 && thread_ == posix::thread_id()) posix::set_timer_slack(slack_before_);
}

void SleepPlan::begin_here() {
  begun_ = true;
  slack_divisor_ = posix::sleep_slack_divisor();
  if (!precision_.timer_slack) return;
  slack_before_ = posix::timer_slack();
  posix::set_timer_slack(*precision_.timer_slack);
  thread_ = posix::thread_id();
}

Duration SleepPlan::ask(Duration left) const {
  constexpr Duration kernel_slack_max = 100ms;
  constexpr Duration negligible = 1us;
  Duration asked = std::max(Duration(), left - spin_);
  if (asked > precision_.warm_up * 2) asked -= precision_.warm_up;
  // For a sleep of x, the kernel's window reaches from x to x + x/divisor. Choose x so that it ends at
  // `asked`.
  const Duration window = std::min(asked / (slack_divisor_ + 1), kernel_slack_max);
  return window < negligible ? asked : asked - window;
}

}  // namespace detail

}  // namespace escapement
