// The library's only macros: an assertion that stays on in release builds, and what the compiler is told.

#pragma once

namespace escapement::detail {
// Prints `what` with its place to standard error (where there is one) and aborts. Never returns.
[[noreturn]] void check_failed(const char* what, const char* file, int line) noexcept;
}  // namespace escapement::detail

// Checks a condition that only a bug can break. Stays on in release: a stopped program is better than a
// timer wheel that goes on corrupted. Not for operating errors; those are `Error` values.
#if defined(__wasm__)
// Nowhere to print to: the trap tells where, and the module need not carry the texts.
#define ESC_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? static_cast<void>(0) : __builtin_trap())
#else
#define ESC_CHECK(condition)                         \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::escapement::detail::check_failed(#condition, ESC_FILE, __LINE__))
#endif

// The file's name without the path of the machine that built it.
#if defined(__FILE_NAME__)
#define ESC_FILE __FILE_NAME__
#else
#define ESC_FILE __FILE__
#endif

// Kept out of line: the cold half of a function whose hot half should stay small.
#define ESC_NOINLINE [[gnu::noinline]]

// Never a call: what it does is little where the compiler sees the arguments.
#define ESC_INLINE [[gnu::always_inline]] inline
