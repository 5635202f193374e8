// spawn() would throw the value away; spawn_joinable() hands it over.
#include <escapement/core/scope.h>

using namespace escapement;

void caller(Scope& scope, Task<int> work) {
#ifdef MUST_NOT_COMPILE
  scope.spawn(std::move(work));
#endif
}
