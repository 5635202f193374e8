// Awaiting a task consumes it: that has to show, as std::move.
#include <escapement/core/task.h>

using namespace escapement;

Task<> caller(Task<> work) {
#ifdef MUST_NOT_COMPILE
  co_await work;
#endif
  co_await std::move(work);
}
