// Histogram: counts of latencies, in buckets whose width is at most 1/128 of the value.

#pragma once

#include <cstdint>
#include <vector>

#include <escapement/core/time.h>

namespace escapement {

// A log-linear histogram, as HdrHistogram is: 128 buckets for each doubling. About 60 KB, whatever it holds.
class Histogram {
 public:
  void add(Duration latency);

  std::uint64_t count() const { return count_; }
  Duration least() const { return count_ == 0 ? Duration() : least_; }
  Duration most() const { return most_; }
  Duration mean() const;
  double deviation_milliseconds() const;
  // Returns the latency that `percent` of all, 0 to 100, do not exceed: the upper end of its bucket, and
  // never more than `most`.
  Duration percentile(double percent) const;
  // Returns how many are at most `latency`, up to the width of a bucket.
  std::uint64_t count_up_to(Duration latency) const;

 private:
  static std::size_t bucket_of(std::uint64_t nanoseconds);
  static std::uint64_t end_of(std::size_t bucket);

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  Duration least_ = Duration::max();
  Duration most_;
  double sum_ = 0;  // of nanoseconds
  double sum_squares_ = 0;
};

}  // namespace escapement
