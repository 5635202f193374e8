// An error that nobody returns is no failure.
#include <escapement/core/error.h>

using namespace escapement;

Result<int> caller() {
#ifdef MUST_NOT_COMPILE
  Error(Errc::not_found, "no such thing");
#endif
  return Error(Errc::not_found, "no such thing");
}
