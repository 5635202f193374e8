// A race yields one type.
#include <escapement/core/combine.h>

using namespace escapement;

Task<int> number();
Task<bool> question();

Task<> user() {
#ifdef MUST_NOT_COMPILE
  co_await race(number(), question());
#endif
  std::variant<int, bool> first = co_await select(number(), question());
  (void)first;
}
