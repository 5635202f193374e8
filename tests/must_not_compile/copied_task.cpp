// A task has one owner.
#include <escapement/core/task.h>

using namespace escapement;

void owner(Task<> work) {
#ifdef MUST_NOT_COMPILE
  Task<> copy = work;
#endif
  Task<> moved = std::move(work);
}
