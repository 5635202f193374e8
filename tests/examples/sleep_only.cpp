// The smallest module: sleeps as many milliseconds as it is told.

#include <charconv>

#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/runtime.h>

using namespace escapement;

Task<std::string> nap(std::string milliseconds) {
  int count = 0;
  std::from_chars(milliseconds.data(), milliseconds.data() + milliseconds.size(), count);
  co_await sleep(std::chrono::milliseconds(count));
  co_return "slept " + milliseconds + " ms";
}

ESC_TASK(nap)
