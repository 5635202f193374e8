// Plain fields: reads a block of field lines in one go, for the parsers of plain heads.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <escapement/io/http/detail/characters.h>
#include <escapement/io/http/message.h>

namespace escapement::http::detail {

inline constexpr std::string_view end_of_fields = "\r\n\r\n";

// The longest head that is remembered, to know one like it again.
inline constexpr std::size_t remembered_max = 4 * KiB;

// Returns the first byte from `at` on that no field name has; there is one before `end`.
inline const char* end_of_name(const char* at, const char* end) {
  while (end - at >= 8) {
    const std::uint64_t others = Swar8(at).others_than_letters();
    if (others == 0) {
      at += 8;
      continue;
    }
    at += Swar8::place(others);
    if (!token_characters.has(*at)) return at;
    ++at;
  }
  while (token_characters.has(*at)) ++at;
  return at;
}

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Returns how many bytes the fields take with the empty line, and in `place` where the last one ends; 0 if
// they are not plain, or too many for `places`.
inline std::size_t scan_fields(const char* const begin, const char* const end,
                               std::span<Headers::Place> places, Headers::Place*& place) {
  const char* at = begin;
  place = places.data();
  while (at != end && *at != '\r') {
    if (place == places.data() + places.size()) return 0;
    const char* const name = at;
    const char* const name_end = at = end_of_name(at, end);
    if (*at != ':' || at == name) return 0;
    do ++at;
    while (is_blank(*at));
    const char* const value = at;
    at = find_control(at, end);
    if (*at != '\r' || at[1] != '\n') return 0;
    const char* value_end = at;
    while (value_end != value && is_blank(value_end[-1])) --value_end;
    *place++ = {static_cast<std::uint32_t>(name - begin), static_cast<std::uint32_t>(name_end - name),
                static_cast<std::uint32_t>(value - begin), static_cast<std::uint32_t>(value_end - value)};
    at += 2;
  }
  return at == end || at[1] != '\n' ? 0 : static_cast<std::size_t>(at + 2 - begin);
}

}  // namespace escapement::http::detail
