// A sleep that is not awaited does not sleep.
#include <escapement/timers/sleep.h>

using namespace escapement;

Task<> caller() {
#ifdef MUST_NOT_COMPILE
  sleep(1s);
#endif
  co_await sleep(1s);
}
