// A permit that nobody holds is given back at once.
#include <escapement/core/event.h>

using namespace escapement;

Task<> caller(Semaphore& semaphore) {
#ifdef MUST_NOT_COMPILE
  co_await semaphore.acquire();
#endif
  Semaphore::Permit permit = co_await semaphore.acquire();
}
