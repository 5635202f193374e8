// The browser page's module: one task.

#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/runtime.h>

using namespace escapement;

// Sleeps five times, 50 ms each; returns how late each was, in microseconds.
Task<std::string> naps(std::string) {
  Reactor& reactor = co_await this_reactor;
  std::string late;
  for (int i = 0; i < 5; ++i) {
    const Instant deadline = reactor.precise_now() + 50ms;
    co_await sleep_until(deadline);
    late += std::to_string((reactor.precise_now() - deadline).count() / 1000) + " ";
  }
  co_return std::move(late);
}

ESC_TASK(naps)
