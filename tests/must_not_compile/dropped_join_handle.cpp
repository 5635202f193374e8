// Somebody who does not want the outcome calls spawn().
#include <escapement/core/scope.h>

using namespace escapement;

void caller(Scope& scope, Task<int> work) {
#ifdef MUST_NOT_COMPILE
  scope.spawn_joinable(std::move(work));
#endif
}
