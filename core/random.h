// A small seeded random generator for jitter, simulation and tests. Not for secrets.

#pragma once

#include <cstdint>

namespace escapement {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): eight
// bytes of state, every seed good, the same sequence on every platform.
class Random {
 public:
  // Makes a generator whose numbers follow from `seed`.
  explicit Random(std::uint64_t seed) : state_(seed) {}

  // Returns 64 random bits.
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Returns a uniformly distributed value in [0, bound]. Takes the same number of draws on every platform.
  std::uint64_t up_to(std::uint64_t bound) {
    if (bound == UINT64_MAX) return next();
    const std::uint64_t range = bound + 1;
    const std::uint64_t unfair = (UINT64_MAX - bound) % range;  // the values that a plain modulo would favour
    for (;;) {
      const std::uint64_t drawn = next();
      if (drawn >= unfair) return drawn % range;
    }
  }

  // Returns true once in `n` calls on average; never if n is zero.
  bool one_in(std::uint64_t n) { return n != 0 && up_to(n - 1) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace escapement
