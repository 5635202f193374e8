// A generator does nothing until a value is asked for.
#include <escapement/core/generator.h>

using namespace escapement;

Generator<int> numbers();

void caller() {
#ifdef MUST_NOT_COMPILE
  numbers();
#endif
  Generator<int> named = numbers();
}
