// The libFuzzer target of WebSocket frames: reads whatever bytes come. CONTRIBUTING.md says how to run it.

#include <cstdio>
#include <cstdlib>

#include "fuzz/web_socket_game.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = escapement::test::play_web_socket({data, size});
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "%s\n", wrong.c_str());
  std::abort();
}
