#include "tools/fetch/calloc_watch.h"

#include <atomic>
#include <cstddef>

// CMake links the program with --wrap=calloc: calls of calloc reach the second function, and the first is the
// library's calloc.
extern "C" void* __real_calloc(std::size_t count, std::size_t size);
extern "C" void* __wrap_calloc(std::size_t count, std::size_t size);

static std::atomic<bool> failed{false};

extern "C" void* __wrap_calloc(std::size_t count, std::size_t size) {
  void* const block = __real_calloc(count, size);
  if (block == nullptr) failed = true;
  return block;
}

bool escapement::calloc_has_failed() { return failed; }
