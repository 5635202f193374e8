#include <escapement/core/check.h>

#include <cstdio>
#include <cstdlib>

// Where there is a standard error: natively. (CMake picks this file or check_trap.cpp.)
namespace escapement::detail {

void check_failed(const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "escapement: check failed: %s (%s:%d)\n", what, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace escapement::detail
