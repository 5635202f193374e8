// FileRange: a part of an open file that is to be sent.

#pragma once

#include <cstdint>

namespace escapement {

// Whoever sends it without reading it (Stream::send_file) moves `offset` on and `left` down as it goes, so
// that others can see how far it came.
struct FileRange {
  int fd;  // owned by whoever made this
  std::uint64_t offset;
  std::uint64_t left;
};

}  // namespace escapement
