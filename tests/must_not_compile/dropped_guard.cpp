// A lock that nobody holds is unlocked at once.
#include <escapement/core/mutex.h>

using namespace escapement;

Task<> caller(Mutex& mutex) {
#ifdef MUST_NOT_COMPILE
  co_await mutex.lock();
#endif
  Mutex::Guard guard = co_await mutex.lock();
}
