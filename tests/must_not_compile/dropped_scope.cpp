// A scope without a name ends at once, and with it its tasks.
#include <escapement/core/scope.h>

using namespace escapement;

void caller(Reactor& reactor) {
#ifdef MUST_NOT_COMPILE
  Scope{reactor};
#endif
  Scope scope(reactor);
}
