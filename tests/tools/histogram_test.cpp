// Histogram: compared with a sorted list of everything.

#include "tools/load/histogram.h"

#include <algorithm>
#include <cmath>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

using namespace escapement;

TEST_CASE("histogram: percentiles are those of a sorted list, up to 1/128") {
  Random random(1);
  for (const std::size_t count : {1u, 2u, 10u, 1000u, 20'000u}) {
    Histogram histogram;
    std::vector<std::int64_t> all;
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = static_cast<std::int64_t>(random.up_to((1ULL << random.up_to(45)) - 1));
      all.push_back(value);
      histogram.add(Duration::nanoseconds(value));
    }
    std::ranges::sort(all);
    CHECK(histogram.count() == count);
    CHECK(histogram.least().count() == all.front());
    CHECK(histogram.most().count() == all.back());
    for (const double percent : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
      const double wanted = std::ceil(static_cast<double>(count) * percent / 100);
      const std::size_t rank = std::max<std::size_t>(static_cast<std::size_t>(wanted), 1) - 1;
      const std::int64_t exact = all[rank];
      const std::int64_t measured = histogram.percentile(percent).count();
      CHECK(measured >= exact);
      CHECK(static_cast<double>(measured) <= static_cast<double>(exact) * (1 + 1.0 / 128) + 1);
    }
    CHECK(histogram.count_up_to(histogram.most()) == count);
    CHECK(histogram.count_up_to(Duration::nanoseconds(-1)) == 0);
  }
}

TEST_CASE("histogram: mean, deviation, and nothing at all") {
  Histogram histogram;
  CHECK(histogram.percentile(99) == Duration());
  CHECK(histogram.mean() == Duration());
  CHECK(histogram.least() == Duration());
  for (const int value : {2, 4, 4, 4, 5, 5, 7, 9}) histogram.add(std::chrono::milliseconds(value));
  CHECK(histogram.mean() == Duration(5ms));
  CHECK(std::abs(histogram.deviation_milliseconds() - 2) < 1e-6);
  histogram.add(Duration::max());
  CHECK(histogram.most() == Duration::max());
  CHECK(histogram.percentile(100) == Duration::max());
}
