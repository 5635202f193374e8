// A random id for requests.

#pragma once

#include <string>

#include <escapement/core/random.h>

namespace escapement::http::detail {

// Returns 32 random hexadecimal digits; not for secrets.
inline std::string random_id(Random& random) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string id;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = random.next();
    for (int i = 0; i < 16; ++i, bits >>= 4) id += digits[bits & 15];
  }
  return id;
}

}  // namespace escapement::http::detail
