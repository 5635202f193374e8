// The target of a reference parameter has to live as long as the task: with -DESC_CORO_CHECKS clang says
// where it does not.
#include <string>

#include <escapement/core/scope.h>

using namespace escapement;

Task<> greet(const std::string& name) {
  co_await yield();
  if (name.empty()) co_await Error(Errc::invalid_argument);
}

void start(Scope& scope) {
#ifdef MUST_NOT_COMPILE
  Task<> task = greet(std::string("somebody"));
  scope.spawn(std::move(task));
#endif
  scope.spawn([name = std::string("somebody")]() -> Task<> { co_await greet(name); });
}
