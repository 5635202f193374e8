// The smallest module: sleeps for the given number of milliseconds.

#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/runtime.h>

using namespace escapement;

Task<std::string> nap(std::string milliseconds) {
  Duration length;
  for (const char digit : milliseconds) length = length * 10 + Duration(1ms) * (digit - '0');
  co_await sleep(length);
  co_return std::move(milliseconds);
}

ESC_TASK(nap)
