// Byte ranges (RFC 9110 section 14): the parts of a representation that a request wants. Pure.

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
    whole,          // no range, or an ignored one: 200
    some,           // `ranges`: 206
    unsatisfiable,  // none of the ranges selects a byte: 416
  };
  explicit ByteRanges(Kind which) : kind(which) {}
  Kind kind;
  std::vector<ByteRange> ranges;
};

// Parses the value of Range for a representation of `size` bytes and keeps the order of the ranges. Ignored,
// as the RFC allows: other units, malformed values, more than `most` ranges, and ranges that add up to more
// than the whole (they overlap, so the whole costs less; the lesson of CVE-2011-3192).
ByteRanges parse_byte_ranges(std::string_view value, std::uint64_t size, std::size_t most);

}  // namespace escapement::http
