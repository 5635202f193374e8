// A Task that nobody holds would be destroyed unrun.
#include <escapement/core/task.h>

using namespace escapement;

Task<> work() { co_return; }

void caller() {
#ifdef MUST_NOT_COMPILE
  work();
#endif
}
