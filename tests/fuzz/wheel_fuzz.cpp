// The libFuzzer target: plays whatever bytes come. CONTRIBUTING.md says how to run it.

#include <cstdio>
#include <cstdlib>

#include "fuzz/wheel_game.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = escapement::test::play_wheel({data, size});
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "%s\n", wrong.c_str());
  std::abort();
}
