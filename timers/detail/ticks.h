// Instants to ticks: the one place that knows how long a tick is.

#pragma once

#include <cstdint>

#include <escapement/core/time.h>

namespace escapement::detail {

// 32.8 us: short enough that one tick rarely holds many entries, long enough that two levels cover minutes.
inline constexpr int tick_bits = 15;

// Counted from the instant zero, and like it may be negative.
using Tick = std::int64_t;

// The tick that contains `at`. Ticks only choose slots, and an entry leaves a slot by its own deadline, so
// rounding down here cannot make anything early.
constexpr Tick tick_of(Instant at) { return at.nanoseconds() >> tick_bits; }

// The first instant of a tick.
constexpr Instant start_of_tick(Tick tick) { return Instant::from_nanoseconds(tick << tick_bits); }

}  // namespace escapement::detail
