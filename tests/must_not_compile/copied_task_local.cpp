// The address of a TaskLocal tells it from others.
#include <escapement/core/task_local.h>

using namespace escapement;

const TaskLocal<int> number;

void caller() {
#ifdef MUST_NOT_COMPILE
  TaskLocal<int> same = number;
#endif
  static const TaskLocal<int> other;
  (void)other;
}
