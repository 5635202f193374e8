// The time that an operation of a binding in memory takes, and its faults.

#pragma once

#include <escapement/core/reactor.h>
#include <escapement/timers/sleep.h>

namespace escapement::detail {

// Waits for `latency`, and then fails one in so many times with Errc::unavailable and `failure`: nothing was
// sent. `fail_one_in` 0: never.
inline Task<> simulated_call(Duration latency, std::uint64_t fail_one_in, const char* failure) {
  Reactor& reactor = co_await this_reactor;
  if (latency > Duration()) co_await sleep(latency);
  if (reactor.random().one_in(fail_one_in)) {
    co_await Error(Errc::unavailable, failure).nothing_sent();
  }
}

}  // namespace escapement::detail
