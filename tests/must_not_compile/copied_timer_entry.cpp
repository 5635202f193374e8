// Others point at an entry: it stays where it is.
#include <escapement/timers/entry.h>

using namespace escapement;

void caller(TimerEntry& entry) {
#ifdef MUST_NOT_COMPILE
  TimerEntry copy = entry;
#endif
  entry.disarm();
}
