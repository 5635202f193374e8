// A lambda's captures die with the lambda, before its coroutine runs: with -DESC_CORO_CHECKS clang says so.
#include <escapement/core/scope.h>

using namespace escapement;

void start(Scope& scope, int number) {
#ifdef MUST_NOT_COMPILE
  Task<> task = [number]() -> Task<> {
    if (number == 0) co_await yield();
  }();
  scope.spawn(std::move(task));
#endif
  scope.spawn([number]() -> Task<> {
    if (number == 0) co_await yield();
  });
}
