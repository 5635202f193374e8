#include <escapement/core/detail/check.h>

#include <cstdio>
#include <cstdlib>

#include <escapement/core/error.h>

// Prints to standard error: the native variant. (CMake picks this file or check_trap.cpp.)
namespace escapement::detail {

void check_failed(const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "escapement: check failed: %s (%s:%d)\n", what, file, line);
  std::fflush(stderr);
  std::abort();
}

void check_failed(const char* what, const char* file, int line, const char* why) noexcept {
  std::fprintf(stderr, "escapement: check failed: %s\n  (%s, %s:%d)\n", why, what, file, line);
  std::fflush(stderr);
  std::abort();
}

void check_failed(const char* what, const char* file, int line, const Error& why) noexcept {
  if (!why.state_) check_failed(what, file, line, "a Result was read that was moved from");
  const std::string_view kind = name(why.code());
  std::fprintf(stderr,
               "escapement: check failed: a Result was read that is an error: %.*s%s%s\n  (%s, %s:%d)\n",
               static_cast<int>(kind.size()), kind.data(), why.message().empty() ? "" : ": ",
               why.message().c_str(), what, file, line);
  std::fflush(stderr);
  std::abort();
}

void print_unhandled(const Error& error) noexcept {
  const std::string_view kind = name(error.code());
  std::fprintf(stderr, "escapement: unhandled failure: %.*s%s%s\n", static_cast<int>(kind.size()),
               kind.data(), error.message().empty() ? "" : ": ", error.message().c_str());
  std::fflush(stderr);
}

}  // namespace escapement::detail
