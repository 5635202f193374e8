// Characters: which bytes may stand where, one table look-up each.

#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <escapement/core/detail/check.h>

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
// Characters of a request target as it is sent; its query may hold a backslash as well (rules.h).
inline constexpr Characters target_characters(0x21, 0x7e, "#\\");
// Characters of Host: more is checked when it becomes a URL.
inline constexpr Characters host_characters(0x21, 0x7e, "/?#@\\");
// Characters of paths and queries that mean the same in every spelling.
inline constexpr Characters plain_path_characters("-._~!$&'()*+,;=:@/?");

// Swar8 characters at once, the first in the lowest byte.
class Swar8 {
 public:
  explicit Swar8(const char* at) {
    std::memcpy(&word_, at, sizeof word_);
    if constexpr (std::endian::native == std::endian::big) word_ = __builtin_bswap64(word_);
  }

  // Below, bit 7 of each byte that is meant: the lowest that is set is right, and whether any is. A byte that
  // is meant may carry into the next one, or borrow from it, so that the others do not matter.

  // Not printable ASCII: a control character, tab, or above 0x7e.
  std::uint64_t unusual() const { return ((word_ - each * ' ') | (word_ + each) | word_) & high; }
  // No letter.
  std::uint64_t others_than_letters() const {
    const std::uint64_t lower = word_ | (each * 0x20);
    const std::uint64_t letters = (lower + each * (0x80 - 'a')) & ~(lower + each * (0x7f - 'z')) & ~word_;
    return ~letters & high;
  }
  // Which of them the lowest is.
  static int place(std::uint64_t found) { return std::countr_zero(found) / 8; }

 private:
  static constexpr std::uint64_t each = 0x0101010101010101;
  static constexpr std::uint64_t high = each * 0x80;
  std::uint64_t word_;
};

// Returns whether nothing in `text` is unusual: false also where it is shorter than eight, which is not
// looked at.
inline bool is_usual(std::string_view text) {
  if (text.size() < 8) return false;
  const char* const last = text.data() + text.size() - 8;
  for (const char* at = text.data(); at < last; at += 8) {
    if (Swar8(at).unusual() != 0) return false;
  }
  return Swar8(last).unusual() == 0;
}

// The first byte from `at` on that is not printable ASCII; `end` where there is none.
inline const char* find_unusual(const char* at, const char* end) {
  for (; end - at >= 8; at += 8) {
    const std::uint64_t found = Swar8(at).unusual();
    if (found != 0) return at + Swar8::place(found);
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

// Copies `text` to `at`, and yields where it ends there. For the short texts that heads are made of: up to 64
// bytes take a few loads and stores, which may overlap, and no call.
ESC_INLINE char* put(char* at, std::string_view text) {
  const std::size_t size = text.size();
  const auto copy_ends = [&]<class Part>(Part first) {
    Part last;
    std::memcpy(&first, text.data(), sizeof first);
    std::memcpy(&last, text.data() + size - sizeof last, sizeof last);
    std::memcpy(at, &first, sizeof first);
    std::memcpy(at + size - sizeof last, &last, sizeof last);
  };
  if (size > 64) {
    std::memcpy(at, text.data(), size);
  } else if (size > 32) {
    copy_ends(std::array<char, 32>());
  } else if (size >= 16) {
    copy_ends(std::array<char, 16>());
  } else if (size >= 8) {
    copy_ends(std::uint64_t());
  } else if (size >= 4) {
    copy_ends(std::uint32_t());
  } else {
    for (std::size_t i = 0; i < size; ++i) at[i] = text[i];
  }
  return at + size;
}

// Returns whether they are equal; from 8 to 32 bytes without a call.
ESC_INLINE bool same(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  if (size - 8 > 24) return std::memcmp(a.data(), b.data(), size) == 0;  // also where it is below 8
  const auto differ = [&](std::size_t at) {
    std::uint64_t words[2];
    std::memcpy(&words[0], a.data() + at, 8);
    std::memcpy(&words[1], b.data() + at, 8);
    return words[0] ^ words[1];
  };
  if (size <= 16) return (differ(0) | differ(size - 8)) == 0;
  return (differ(0) | differ(8) | differ(size - 16) | differ(size - 8)) == 0;
}

}  // namespace escapement::http::detail
