// Byte ranges (RFC 9110 section 14): the parts of a representation that a request wants. Pure.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace escapement::http {

// Some bytes of a representation.
struct ByteRange {
  std::uint64_t first = 0;   // the offset of the first byte
  std::uint64_t length = 0;  // at least 1
  bool operator==(const ByteRange&) const = default;
};

// The ranges that a request asks for.
class ByteRanges {
 public:
  // The status that the ranges lead to.
  enum class Kind {
    whole,          // no range, or an ignored one: 200
    some,           // `ranges`: 206
    unsatisfiable,  // none of the ranges selects a byte: 416
  };
  explicit ByteRanges(Kind which) : kind(which) {}
  Kind kind;                      // what to respond with
  std::vector<ByteRange> ranges;  // in the order of the request; empty unless `some`
};

// Parses the value of Range for a representation of `size` bytes and keeps the order of the ranges. Ignored,
// as the RFC allows: other units, malformed values, more than `most` ranges, and ranges that add up to more
// than the whole (they overlap, so the whole costs less; the lesson of CVE-2011-3192).
ByteRanges parse_byte_ranges(std::string_view value, std::uint64_t size, std::size_t most);

}  // namespace escapement::http
