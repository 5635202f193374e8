// Summaries of many samples: exact quantiles, and a histogram of lateness in logarithmic buckets.

#pragma once

#include <array>
#include <string>
#include <vector>

#include "tools/timers/contender.h"

namespace escapement::lateness {

// Ten buckets a decade from 0.1 us to 100 ms. The first one also counts smaller values, the last one larger
// ones; early samples are in none.
struct Buckets {
  static constexpr int per_decade = 10;
  static constexpr int count = 6 * per_decade;
  static constexpr double least_us = 0.1;
  static constexpr double most_us = 1e5;

  static int index(double microseconds);
  // Returns where bucket `index` begins.
  static double begin(int index);

  std::array<long, count> counts{};
};

struct Summary {
  long count = 0;
  long early = 0;
  // Lateness in microseconds.
  double min = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double p999 = 0;
  double max = 0;
  // Intervals for the p50 and p99 of all timers, not only of these: three standard deviations to each side.
  std::array<double, 2> p50_between{};
  std::array<double, 2> p99_between{};
  // CPU time of the sleeping thread, in microseconds a timer; negative: unknown.
  double cpu = -1;
  Buckets buckets;
};

// Sorts `late`; `cpu` is for all samples together, negative when unknown.
Summary summarize(std::vector<Duration>& late, Duration cpu);

// One line of the results: one contender, at one target, under one condition.
struct Row {
  std::string where;  // "idle", "beside load", or the host: "Node", "Chromium Worker", ...
  std::string contender;
  Kind kind = Kind::ours;
  double target_ms = 0;
  Summary summary;
};

// The rows of each picture and table: same `where`, same target, in the order they came.
struct Group {
  std::string where;
  double target_ms;
  std::vector<const Row*> rows;
};
std::vector<Group> grouped(const std::vector<Row>& rows);

const char* name(Kind kind);
// "0.2 ms", "20 ms", "1 s"
std::string target_text(double milliseconds);
// A lateness in at most six characters: "0.4", "38", "1095", "12 ms".
std::string microseconds_text(double microseconds);

}  // namespace escapement::lateness
