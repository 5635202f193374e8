// Time without a kernel: every contender's clock is a number that the tasks move, and polls find nothing.
//
// The peers are event loops; their timers cannot be reached without a turn of the loop, which reads the clock
// and asks epoll. Neither is what is compared here, so this program defines clock_gettime, gettimeofday,
// epoll_wait, epoll_pwait, epoll_ctl and timerfd_create itself, and the dynamic linker gives the peers these:
// reading the clock is a load, a poll returns at once with no event, and there are no timer descriptors (asio
// then looks at its timers on every poll, as on kernels without them). No number of any contender contains a
// system call. All of it happens through the peers' public interfaces.

#pragma once

#include <cstdint>

namespace bench {

// Nanoseconds.
using Ns = std::int64_t;

inline constexpr Ns microsecond = 1'000;
inline constexpr Ns millisecond = 1'000'000;
inline constexpr Ns second = 1'000'000'000;

// Where every contender's clock begins. Small enough for libev, whose times are seconds in a double.
inline constexpr Ns start_time = 1'000 * second;

// The time that the clock shows to everybody in this program.
inline Ns virtual_time = start_time;

// The real monotonic clock, for measuring.
Ns stopwatch();

}  // namespace bench
