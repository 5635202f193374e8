// A sender without a name is gone at once, and its receiver fails.
#include <escapement/core/one_shot.h>

using namespace escapement;

void caller(OneShot<int>& reply) {
#ifdef MUST_NOT_COMPILE
  reply.sender();
#endif
  OneShot<int>::Sender sender = reply.sender();
}
