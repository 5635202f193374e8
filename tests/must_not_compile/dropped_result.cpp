// A Result may be a failure: it has to be looked at.
#include <escapement/core/error.h>

using namespace escapement;

Result<> work() { return {}; }

void caller() {
#ifdef MUST_NOT_COMPILE
  work();
#endif
}
