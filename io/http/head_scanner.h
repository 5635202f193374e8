// The plain request head, read in one go: what nearly every request begins with.
//
// A second implementation of what llhttp does, for the plainest heads alone. It never refuses anything: what
// it does not take is for llhttp, which stays the one that says what is malformed, and how. What it takes,
// llhttp takes too and reads the same way (tests/io/http_head_scanner_test.cpp).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

struct ScannedHead {
  static constexpr std::size_t fields_max = 64;

  std::string_view method;  // one that llhttp knows
  std::string_view target;  // begins with '/'; target_characters
  int minor_version;
  std::size_t size;   // of all of it, with the empty line
  std::size_t count;  // of fields
  // Where they stand; values without the white space around them.
  std::array<Headers::Place, fields_max> places;

  std::span<Headers::Place> fields() { return {places.data(), count}; }
};

// Whether `text` begins with a head that is plain and there to its end: a usual method, a path, HTTP/1.0 or
// 1.1, lines that end with CRLF, names that are tokens, values without control characters. Only then `head`
// is filled; it refers to `text`. What the fields mean is not looked at.
bool scan_head(std::string_view text, ScannedHead& head);

}  // namespace escapement::http::detail
