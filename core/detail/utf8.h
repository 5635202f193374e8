// Utf8Checker: UTF-8 in pieces (RFC 3629), refused at the first byte that cannot belong to it.

#pragma once

#include <string_view>

namespace escapement::detail {

class Utf8Checker {
 public:
  // Takes the next piece. Returns false if the text cannot become valid any more.
  bool take(std::string_view piece);
  // Returns whether no code point is left in the middle.
  bool complete() const { return more_ == 0; }

 private:
  bool begin(unsigned char first);

  int more_ = 0;  // bytes of continuation that are due
  // The range that the next one of them must be in.
  unsigned char low_ = 0x80;
  unsigned char high_ = 0xbf;
};

}  // namespace escapement::detail
