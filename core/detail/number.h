// Parses numbers that are written in digits.

#pragma once

#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

namespace escapement {

// Parses all of `text` as a number, in std::from_chars's form: no white space, no plus, a minus only for a
// signed `Number`. `base` is 10 by default; a floating-point `Number` takes none. Returns nullopt if `text`
// is something else, or the number does not fit.
template <class Number, class... Base>
std::optional<Number> parse_number(std::string_view text, Base... base) {
  Number number{};
  const char* const end = text.data() + text.size();
  const std::from_chars_result read = std::from_chars(text.data(), end, number, base...);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

// Like parse_number for digits alone, but returns the largest number that fits instead of one that does not.
template <class Number>
std::optional<Number> parse_saturated(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const std::from_chars_result read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc::invalid_argument || read.ptr != end || text.front() == '-') return std::nullopt;
  return read.ec == std::errc() ? number : std::numeric_limits<Number>::max();
}

}  // namespace escapement
