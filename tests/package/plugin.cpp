// A shared library that holds the library, as a program loads it at run time.

#include "hello.h"

extern "C" int plugin_says_hello() { return say_hello(); }
