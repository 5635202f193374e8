#include <escapement/core/detail/in_digits.h>

#include <iterator>
#include <limits>

namespace escapement {

std::string in_digits(std::int64_t number) {
  char digits[std::numeric_limits<std::int64_t>::digits10 + 2];
  char* first = std::end(digits);
  std::uint64_t left = static_cast<std::uint64_t>(number);
  if (number < 0) left = 0 - left;
  do {
    *--first = static_cast<char>('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (number < 0) *--first = '-';
  return std::string(first, std::end(digits));
}

}  // namespace escapement
