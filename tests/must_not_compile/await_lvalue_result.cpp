// Awaiting a result consumes it, as it does a task.
#include <escapement/core/task.h>

using namespace escapement;

Task<> caller(Result<> done) {
#ifdef MUST_NOT_COMPILE
  co_await done;
#endif
  co_await std::move(done);
}
