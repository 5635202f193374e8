// Byte ranges (RFC 9110 section 14): which parts of a representation a request wants. Pure.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace escapement::http {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;  // at least 1
  bool operator==(const ByteRange&) const = default;
};

class ByteRanges {
 public:
  enum class Kind {
    whole,          // no range, or one that is to be ignored: 200
    some,           // `ranges`: 206
    unsatisfiable,  // none of them has a byte of it: 416
  };
  explicit ByteRanges(Kind which) : kind(which) {}
  Kind kind;
  std::vector<ByteRange> ranges;
};

// What the value of Range asks of a representation of `size` bytes, in its order. Ignored, as the RFC allows:
// another unit, what is malformed, more than `most` ranges, and ranges that come to more than the whole in
// sum (they overlap: the whole costs less; the lesson of CVE-2011-3192).
ByteRanges parse_byte_ranges(std::string_view value, std::uint64_t size, std::size_t most);

}  // namespace escapement::http
