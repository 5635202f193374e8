// A set without a name ends at once, and with it its tasks.
#include <escapement/core/join_set.h>

using namespace escapement;

void caller(Reactor& reactor) {
#ifdef MUST_NOT_COMPILE
  JoinSet<int>{reactor};
#endif
  JoinSet<int> set(reactor);
}
