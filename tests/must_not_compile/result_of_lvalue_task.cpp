// .result() consumes the task too.
#include <escapement/core/task.h>

using namespace escapement;

Task<> caller(Task<> work) {
#ifdef MUST_NOT_COMPILE
  Result<> outcome = co_await work.result();
#else
  Result<> outcome = co_await std::move(work).result();
#endif
  co_await std::move(outcome);
}
