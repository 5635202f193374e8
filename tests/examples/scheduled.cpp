// A Worker with nothing but a cron trigger.

#include <cstdio>

#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/events.h>

using namespace escapement;

// [scheduled]
Task<> tick(wasm::Scheduled event) {
  co_await sleep(5ms);
  std::printf("%s: what was due by %s\n", event.cron.c_str(), event.time.rfc3339().c_str());
}

ESC_SCHEDULED(tick)
// [scheduled]
