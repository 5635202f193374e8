// FileRange: a part of an open file to be sent.

#pragma once

#include <cstdint>

namespace escapement {

// A sender that sends it without reading it (Stream::send_file) advances `offset` and reduces `left` as it
// goes, so that others can see how far it came.
struct FileRange {
  int fd;                // owned by the maker of this
  std::uint64_t offset;  // the position of the next byte to send
  std::uint64_t left;    // the number of bytes to send from there on
};

}  // namespace escapement
