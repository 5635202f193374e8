// A limit has a unit.
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

Task<> user() {
#ifdef MUST_NOT_COMPILE
  co_await with_timeout(2, sleep(1h));
#endif
  co_await with_timeout(2s, sleep(1h));
}
