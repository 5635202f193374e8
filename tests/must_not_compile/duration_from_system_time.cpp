// The wall clock may jump: it gives no deadline.
#include <escapement/timers/sleep.h>

using namespace escapement;

Sleep caller(SystemTime wall, Instant deadline) {
#ifdef MUST_NOT_COMPILE
  return sleep_until(wall);
#endif
  return sleep_until(deadline);
}
