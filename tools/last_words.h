// Ends a program after an unexpected failure, above all when memory runs out: one sentence on standard error
// and an honest exit code, never a signal.

#pragma once

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

namespace escapement {

namespace detail {

inline std::string_view program_name;
inline int out_of_memory_code;

// Writes without allocating.
inline void write_error(std::string_view text) noexcept {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

inline int tell_of(const char* what, int code) noexcept {
  write_error(program_name);
  write_error(": ");
  write_error(what);
  write_error("\n");
  return code;
}

// Returns whether there is too little memory even for an exception: if the C++ library could not reserve its
// emergency memory at program start, `throw` then leads to std::terminate without one.
inline bool no_memory_to_throw() noexcept {
  void* volatile room = std::malloc(256);  // volatile: a compiler may drop an unused allocation
  const bool none = room == nullptr;
  std::free(room);
  return none;
}

[[noreturn]] inline void end_of_program() noexcept {
  if (std::current_exception() == nullptr) {
    if (no_memory_to_throw()) ::_exit(tell_of("out of memory", out_of_memory_code));
    std::abort();  // a bug
  }
  int code = 0;
  try {
    throw;
  } catch (const std::bad_alloc&) {
    code = tell_of("out of memory", out_of_memory_code);
  } catch (const std::exception& error) {
    code = tell_of(error.what(), 1);
  } catch (...) {
    code = tell_of("an exception that is no std::exception", 1);
  }
  ::_exit(code);
}

// Ends the program for a failure that is known.
[[noreturn]] inline void end_now(const char* what, int code) noexcept { ::_exit(tell_of(what, code)); }

}  // namespace detail

// Handles uncaught exceptions, in main and in functions that must not throw. `name` must stay valid. Call it
// from a constructor of early priority, because the constructors of global objects allocate as well:
//
//     [[gnu::constructor(101)]] static void prepare() { escapement::end_with_a_sentence("esc-fetch", 27); }
inline void end_with_a_sentence(const char* name, int out_of_memory) noexcept {
  detail::program_name = name;
  detail::out_of_memory_code = out_of_memory;
  std::set_terminate(detail::end_of_program);
}

}  // namespace escapement
