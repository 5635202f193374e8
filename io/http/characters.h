// Characters: which bytes may stand where, one table look-up each.

#pragma once

#include <array>
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
    for (const char c : text) {
      if (!has(c)) return false;
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

// ASCII without case, for one character.
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace escapement::http::detail
