#include <escapement/core/detail/check.h>
#include <escapement/core/error.h>

// Traps: the wasm variant, where stdio would cost more than a small module's own code. The host catches the
// trap, whose stack shows the location, and renews the instance. (CMake picks this file or check_stderr.cpp.)
namespace escapement::detail {

void check_failed(const char*, const char*, int) noexcept { __builtin_trap(); }
void check_failed(const char*, const char*, int, const char*) noexcept { __builtin_trap(); }
void check_failed(const char*, const char*, int, const Error&) noexcept { __builtin_trap(); }

// Prints nothing: the glue sets a handler that has somewhere to print to.
void print_unhandled(const Error&) noexcept {}

}  // namespace escapement::detail
