#include <escapement/core/detail/utf8.h>

#include <cstdint>
#include <cstring>

namespace escapement::detail {

namespace {

// Returns how many bytes at the beginning of `piece` are ASCII, in whole words.
std::size_t ascii_words(std::string_view piece) {
  std::size_t at = 0;
  while (piece.size() - at >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, piece.data() + at, sizeof(word));
    if ((word & 0x8080808080808080) != 0) break;
    at += sizeof(word);
  }
  return at;
}

}  // namespace

// The ranges of the second byte leave out overlong forms, surrogates, and all past U+10FFFF.
bool Utf8Checker::begin(unsigned char first) {
  low_ = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  high_ = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (first >= 0xc2 && first <= 0xdf) more_ = 1;
  if (first >= 0xe0 && first <= 0xef) more_ = 2;
  if (first >= 0xf0 && first <= 0xf4) more_ = 3;
  return first < 0x80 || more_ != 0;
}

bool Utf8Checker::take(std::string_view piece) {
  for (std::size_t at = 0; at < piece.size();) {
    if (more_ == 0) {
      at += ascii_words(piece.substr(at));
      if (at == piece.size()) break;
      if (!begin(static_cast<unsigned char>(piece[at++]))) return false;
      continue;
    }
    const auto next = static_cast<unsigned char>(piece[at++]);
    if (next < low_ || next > high_) return false;
    low_ = 0x80;
    high_ = 0xbf;
    --more_;
  }
  return true;
}

}  // namespace escapement::detail
