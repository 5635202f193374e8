// A length of time has a unit.
#include <escapement/core/time.h>

using namespace escapement;

Duration caller() {
#ifdef MUST_NOT_COMPILE
  return 250;
#endif
  return 250ms;
}
