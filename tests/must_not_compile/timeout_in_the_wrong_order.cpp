// The limit comes first.
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

Task<> user() {
#ifdef MUST_NOT_COMPILE
  co_await with_timeout(sleep(1h), 2s);
#endif
  co_await with_timeout(2s, sleep(1h));
}
