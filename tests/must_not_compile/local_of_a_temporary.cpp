// A TaskLocal is a name that others use: it has to last.
#include <escapement/core/task_local.h>

using namespace escapement;

const TaskLocal<int> number;

Task<> caller(Task<> work) {
#ifdef MUST_NOT_COMPILE
  co_await with_local(TaskLocal<int>(), 1, std::move(work));
#endif
  co_await with_local(number, 1, std::move(work));
}
