#include <escapement/io/web_socket.h>

namespace escapement {

namespace {

// Returns how many bytes of continuation follow `first`; 4: it begins nothing.
int continuation(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if (first >= 0xe0 && first <= 0xef) return 2;
  if (first >= 0xf0 && first <= 0xf4) return 3;
  return 4;
}

// Returns whether a code point with this first and second byte is neither overlong, a surrogate, nor past
// U+10FFFF.
bool second_fits(unsigned char first, unsigned char second) {
  if (first == 0xe0) return second >= 0xa0;
  if (first == 0xed) return second <= 0x9f;
  if (first == 0xf0) return second >= 0x90;
  if (first == 0xf4) return second <= 0x8f;
  return true;
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char first = static_cast<unsigned char>(text[i++]);
    const int more = continuation(first);
    if (more == 4) return false;
    for (int k = 0; k < more; ++k, ++i) {
      if (i == text.size()) return false;
      const unsigned char next = static_cast<unsigned char>(text[i]);
      if ((next & 0xc0) != 0x80 || (k == 0 && !second_fits(first, next))) return false;
    }
  }
  return true;
}

std::string WebSocket::sendable_reason(std::string reason) {
  constexpr std::size_t reason_bytes_max = 123;
  if (reason.size() > reason_bytes_max) reason.resize(reason_bytes_max);
  while (!reason.empty() && !is_utf8(reason)) reason.pop_back();
  return reason;
}

}  // namespace escapement
