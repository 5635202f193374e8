#include "tools/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace escapement {

namespace {

constexpr unsigned part_bits = 7;
constexpr std::uint64_t parts = 1ULL << part_bits;

}  // namespace

// Values below `parts` have a bucket each; above, the bits behind the first one choose among `parts` buckets.
std::size_t Histogram::bucket_of(std::uint64_t nanoseconds) {
  if (nanoseconds < parts) return static_cast<std::size_t>(nanoseconds);
  const auto shift = static_cast<unsigned>(std::bit_width(nanoseconds)) - 1 - part_bits;
  return static_cast<std::size_t>((std::uint64_t{shift} + 1) * parts + ((nanoseconds >> shift) - parts));
}

// The largest value of a bucket.
std::uint64_t Histogram::end_of(std::size_t bucket) {
  const std::uint64_t octave = bucket / parts;
  if (octave == 0) return bucket;
  const auto shift = static_cast<unsigned>(octave - 1);
  return ((parts + bucket % parts + 1) << shift) - 1;
}

void Histogram::add(Duration latency) {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
  const std::size_t bucket = bucket_of(nanoseconds);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  ++count_;
  least_ = std::min(least_, latency);
  most_ = std::max(most_, latency);
  const auto value = static_cast<double>(nanoseconds);
  sum_ += value;
  sum_squares_ += value * value;
}

Duration Histogram::mean() const {
  if (count_ == 0) return Duration();
  return Duration::nanoseconds(static_cast<std::int64_t>(sum_ / static_cast<double>(count_)));
}

double Histogram::deviation_milliseconds() const {
  if (count_ == 0) return 0;
  const double mean = sum_ / static_cast<double>(count_);
  return std::sqrt(std::max(0.0, sum_squares_ / static_cast<double>(count_) - mean * mean)) / 1e6;
}

Duration Histogram::percentile(double percent) const {
  const double wanted = std::ceil(static_cast<double>(count_) * percent / 100);
  const std::uint64_t rank = std::max<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank)
      return std::min(Duration::nanoseconds(static_cast<std::int64_t>(end_of(bucket))), most_);
  }
  return most_;
}

std::uint64_t Histogram::count_up_to(Duration latency) const {
  if (latency < Duration()) return 0;
  const std::size_t last = bucket_of(static_cast<std::uint64_t>(latency.count()));
  std::uint64_t count = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size() && bucket <= last; ++bucket)
    count += buckets_[bucket];
  return count;
}

}  // namespace escapement
