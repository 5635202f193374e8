#include <cstdint>
#include <optional>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/detail/number.h>

using namespace escapement;

TEST_CASE("Numbers: the whole text, in range, or nothing") {
  CHECK(parse_number<std::uint16_t>("65535") == 65535);
  CHECK(parse_number<std::uint64_t>("18446744073709551615") == UINT64_MAX);
  CHECK(parse_number<int>("007") == 7);
  CHECK(parse_number<int>("-5") == -5);
  CHECK(parse_number<std::uint32_t>("fF", 16) == 255u);
  for (const char* text :
       {"", " 1", "1 ", "+1", "-1", "1x", "0x1", "1.0", "65536", "99999999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_number<std::uint16_t>(text));
  }
}

TEST_CASE("Numbers: what is too large is the largest, where that is asked for") {
  CHECK(parse_saturated<std::int64_t>("12") == 12);
  CHECK(parse_saturated<std::int64_t>("9223372036854775807") == INT64_MAX);
  CHECK(parse_saturated<std::int64_t>("9223372036854775808") == INT64_MAX);
  CHECK(parse_saturated<std::uint64_t>("99999999999999999999999") == UINT64_MAX);
  for (const char* text :
       {"", "-1", "-0", "-99999999999999999999999", "+1", "1 ", "99999999999999999999999x"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_saturated<std::int64_t>(text));
  }
}
