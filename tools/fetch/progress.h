// The progress bar of esc-fetch: one line on a terminal.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <escapement/core/time.h>

namespace escapement {

class ProgressBar {
 public:
  // Draws nothing unless `shown`.
  explicit ProgressBar(bool shown) : shown_(shown) {}
  ProgressBar(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  // Notes that a transfer has begun, of `bytes` if that is known.
  void expect(Instant now, std::optional<std::uint64_t> bytes);
  // Notes that so many bytes have arrived. Draws 10 times a second at most.
  void add(Instant now, std::uint64_t bytes);
  // Removes the line, for something else to be printed.
  void clear();

 private:
  void draw(Instant now);

  const bool shown_;
  bool drawn_ = false;
  bool whole_known_ = true;
  std::uint64_t whole_ = 0;
  std::uint64_t bytes_ = 0;
  Instant began_ = Instant::never();
  Instant drew_ = Instant::never();
};

// Returns the bar's line: "[====>     ]  42%  12.3 MiB  1.2 MiB/s  0:12 left". `whole` 0: not known.
std::string progress_line(std::uint64_t bytes, std::uint64_t whole, double seconds);

}  // namespace escapement
