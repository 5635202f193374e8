#include <catch2/catch_test_macros.hpp>

#include <escapement/core/detail/ascii.h>

using namespace escapement;

TEST_CASE("ASCII: nothing above it is a letter or a digit, and only letters have a case") {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    CAPTURE(i);
    CHECK(is_digit(c) == (i >= 0x30 && i <= 0x39));
    CHECK(is_letter(c) == ((i >= 0x41 && i <= 0x5a) || (i >= 0x61 && i <= 0x7a)));
    CHECK(is_hex_digit(c) == (std::string_view("0123456789abcdefABCDEF").find(c) != std::string_view::npos));
    CHECK(lower(c) == (i >= 0x41 && i <= 0x5a ? static_cast<char>(i + 0x20) : c));
    if (is_hex_digit(c)) CHECK("0123456789abcdef"[hex_value(c)] == lower(c));
  }
  CHECK(lower("Grüße [AZ]@") == "grüße [az]@");
}

TEST_CASE("ASCII: texts compare without case") {
  CHECK(equal_ignoring_case("Content-Length", "content-length"));
  CHECK(equal_ignoring_case("", ""));
  CHECK_FALSE(equal_ignoring_case("a", "ab"));
  CHECK_FALSE(equal_ignoring_case("@[`{", "`{@["));  // the neighbours of the letters
  CHECK_FALSE(equal_ignoring_case("\xc4", "\xe4"));  // Latin-1
  CHECK(ends_ignoring_case("www.Example.TEST", ".example.test"));
  CHECK(ends_ignoring_case("a", ""));
  CHECK_FALSE(ends_ignoring_case("est", "test"));
}
