// expect: the least that a test needs. Take Catch2 or GoogleTest when this is not enough.

#pragma once

#include <cstdio>

inline int failures = 0;

// Prints where a condition does not hold, and goes on.
#define EXPECT(condition) \
  ((condition) ? void()   \
               : (std::printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition), void(++failures)))
