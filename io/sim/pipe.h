// pipe: two connected Streams inside one process. No clock, no system calls, no randomness.

#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/io/stream.h>

namespace escapement {

// Limits of a pipe.
struct PipeOptions {
  // Unread bytes that one direction holds; a write of more waits for room. At least 1 (checked).
  std::size_t capacity = 64 * KiB;
  // The most bytes that a read yields, whatever room it was given, so that protocols can be tested at 1, 2, 3
  // ... At least 1 (checked).
  std::size_t read_max = static_cast<std::size_t>(-1);
};

// The two ends of a pipe.
struct PipeEnds {
  std::unique_ptr<Stream> first;   // one end
  std::unique_ptr<Stream> second;  // the other end
};

// Makes two connected streams: bytes written to one end are read from the other, in the same reactor.
// Destroying an end lets the other one read what was written before, then the end; writing to it fails with
// reset, even a write that is waiting.
PipeEnds pipe(PipeOptions options = PipeOptions());

}  // namespace escapement
