// Also where it was awaited.
#include <escapement/core/task.h>

using namespace escapement;

Task<> caller(Task<> work) {
#ifdef MUST_NOT_COMPILE
  co_await std::move(work).result();
#endif
  co_return;
}
