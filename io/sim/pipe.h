// pipe: two connected Streams inside one process. No clock, no system call, nothing random.

#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/io/stream.h>

namespace escapement {

struct PipeOptions {
  // How many bytes one direction holds that nobody has read; a write waits for room. At least 1 (checked).
  std::size_t capacity = 64 * KiB;
  // What a read yields at most, whatever room it was given: protocols are tested at 1, 2, 3 ... At least 1
  // (checked).
  std::size_t read_max = static_cast<std::size_t>(-1);
};

struct PipeEnds {
  std::unique_ptr<Stream> first;
  std::unique_ptr<Stream> second;
};

// What is written to one end is read from the other, in the same reactor. Destroying an end lets the other
// one read what was written before, then the end; writing to it fails with reset, also a write that waits.
PipeEnds pipe(PipeOptions options = PipeOptions());

}  // namespace escapement
