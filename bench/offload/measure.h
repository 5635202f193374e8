// The measure that both programs take: nanoseconds for one piece of work, the best of five rounds, because
// what the machine does beside it only adds.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace bench {

template <class Work>
double nanoseconds_each(int count, Work work) {
  double best = 1e18;
  for (int round = 0; round < 5; ++round) {
    const auto began = std::chrono::steady_clock::now();
    work(count);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    best = std::min(best, took.count() / count);
  }
  return best;
}

// Runs `one_by_one(count)`, where each piece of work begins when the last one has come back, and
// `many(count)`, where 64 are on their way at any time. Both pools have 4 threads.
template <class OneByOne, class Many>
void measure(int argument_count, char** arguments, OneByOne one_by_one, Many many) {
  const int count = argument_count == 2 ? std::atoi(arguments[1]) : 100'000;
  const double alone = nanoseconds_each(count, one_by_one);
  const double together = nanoseconds_each(count, many);
  std::printf("{\"round_trip_ns\": %.0f, \"of_64_ns\": %.0f}\n", alone, together);
}

}  // namespace bench
