// The inputs in tests/fuzz/NAME_corpus, compiled in: a program in a JS host cannot read files.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace escapement::test {

struct KeptInput {
  std::string name;
  std::vector<std::uint8_t> bytes;
};

std::vector<KeptInput> wheel_corpus();
std::vector<KeptInput> web_socket_corpus();

}  // namespace escapement::test
