// parse_number of floating-point numbers: native, as the standard library of the wasm builds has no such
// from_chars.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/detail/number.h>

using namespace escapement;

TEST_CASE("Numbers: floating-point, in full") {
  CHECK(parse_number<double>("1.5e3") == 1500.0);
  CHECK_FALSE(parse_number<double>("1.5e3x"));
}
