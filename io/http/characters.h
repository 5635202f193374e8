// Characters: which bytes may stand where, one table look-up each.

#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace escapement::http::detail {

class Characters {
 public:
  // Those from `first` to `last`, without those of `but`.
  constexpr Characters(unsigned char first, unsigned char last, std::string_view but = {}) {
    for (int c = first; c <= last; ++c) in_[static_cast<std::size_t>(c)] = true;
    for (const char c : but) in_[static_cast<unsigned char>(c)] = false;
  }
  // Letters, digits and those of `others`.
  explicit constexpr Characters(std::string_view others) {
    for (int c = 'a'; c <= 'z'; ++c) in_[static_cast<std::size_t>(c)] = true;
    for (int c = 'A'; c <= 'Z'; ++c) in_[static_cast<std::size_t>(c)] = true;
    for (int c = '0'; c <= '9'; ++c) in_[static_cast<std::size_t>(c)] = true;
    for (const char c : others) in_[static_cast<unsigned char>(c)] = true;
  }

  constexpr bool has(char c) const { return in_[static_cast<unsigned char>(c)]; }
  constexpr bool has_all(std::string_view text) const {
    const char* at = text.data();
    const char* const end = at + text.size();
    for (; end - at >= 4; at += 4) {
      unsigned all = has(at[0]);  // four without a branch
      all &= has(at[1]);
      all &= has(at[2]);
      all &= has(at[3]);
      if (all == 0) return false;
    }
    for (; at != end; ++at) {
      if (!has(*at)) return false;
    }
    return true;
  }
  // And this one.
  constexpr Characters with(char c) const {
    Characters more = *this;
    more.in_[static_cast<unsigned char>(c)] = true;
    return more;
  }

 private:
  std::array<bool, 256> in_{};
};

// RFC 9110 section 5.6.2: methods and field names.
inline constexpr Characters token_characters("!#$%&'*+-.^_`|~");
// RFC 9110 section 5.5: no control characters but tab.
inline constexpr Characters value_characters = Characters(0x20, 0xff, "\x7f").with('\t');
// What a request target may hold as it is sent.
inline constexpr Characters target_characters(0x21, 0x7e, "#\\");
// What Host may hold: more is checked when it becomes a URL.
inline constexpr Characters host_characters(0x21, 0x7e, "/?#@\\,");
// Of paths and queries: what means the same in every spelling.
inline constexpr Characters plain_path_characters("-._~!$&'()*+,;=:@/?");

// The first byte from `at` on that is not printable ASCII: a control character, tab, or above 0x7e; `end`
// where there is none. Eight at once.
inline const char* find_unusual(const char* at, const char* end) {
  constexpr std::uint64_t each = 0x0101010101010101;
  for (; end - at >= 8; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    // Bit 7 of each byte below space, or from 0x7f on. A byte that borrows from the next one, or carries into
    // it, is one of those itself: the lowest bit is right, and the others do not matter.
    const std::uint64_t found = ((word - each * ' ') | (word + each) | word) & (each * 0x80);
    if (found != 0) return at + std::countr_zero(found) / 8;
  }
  while (at != end && *at >= ' ' && *at < 0x7f) ++at;
  return at;
}

// The first byte from `at` on that a field's value cannot have; `end` where there is none.
inline const char* find_control(const char* at, const char* end) {
  for (;; ++at) {
    at = find_unusual(at, end);
    if (at == end || !value_characters.has(*at)) return at;
  }
}

// ASCII without case, for one character.
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace escapement::http::detail
