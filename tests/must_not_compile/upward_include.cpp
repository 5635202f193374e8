// core knows nothing above it. (Compiled with the include root of core alone.)
#include <escapement/core/task.h>
#ifdef MUST_NOT_COMPILE
#include <escapement/io/stream.h>
#endif
