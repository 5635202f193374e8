// Instants to ticks: the one place that knows how long a tick is.

#pragma once

#include <cstdint>

#include <escapement/core/time.h>

namespace escapement::detail {

// 32.8 us: short enough that one tick rarely holds many entries, long enough that two levels cover minutes.
inline constexpr int tick_bits = 15;

// The tick that contains `at`. Ticks only choose slots, and an entry leaves a slot by its own deadline, so
// rounding down here cannot make anything early. The sign bit is flipped to keep order over all instants.
constexpr std::uint64_t tick_of(Instant at) {
  return (static_cast<std::uint64_t>(at.nanoseconds()) ^ (std::uint64_t{1} << 63)) >> tick_bits;
}

// The first instant of a tick.
constexpr Instant start_of_tick(std::uint64_t tick) {
  return Instant::from_nanoseconds(static_cast<std::int64_t>((tick << tick_bits) ^ (std::uint64_t{1} << 63)));
}

}  // namespace escapement::detail
