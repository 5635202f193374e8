// with_local is an operation: it does nothing until it is awaited.
#include <escapement/core/task_local.h>

using namespace escapement;

const TaskLocal<int> number;

Task<> caller(Task<> work) {
#ifdef MUST_NOT_COMPILE
  with_local(number, 1, std::move(work));
#endif
  co_await with_local(number, 1, std::move(work));
}
