// The inputs in tests/fuzz/wheel_corpus, compiled in: a program in a JS host cannot read files.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace escapement::test {

struct WheelInput {
  std::string name;
  std::vector<std::uint8_t> bytes;
};

std::vector<WheelInput> wheel_corpus();

}  // namespace escapement::test
