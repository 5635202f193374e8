// Points in time do not add up.
#include <escapement/core/time.h>

using namespace escapement;

Instant caller(Instant a, Instant b) {
#ifdef MUST_NOT_COMPILE
  return a + b;
#endif
  return a + (b - a);
}
