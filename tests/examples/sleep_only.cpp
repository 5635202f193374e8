// The smallest module: sleeps for the given number of milliseconds.

#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/runtime.h>

using namespace escapement;

Task<std::string> nap(std::string milliseconds) {
  int count = 0;
  for (const char digit : milliseconds) count = count * 10 + (digit - '0');
  co_await sleep(Duration(1ms) * count);
  co_return std::move(milliseconds);
}

ESC_TASK(nap)
