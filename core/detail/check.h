// The library's only macros: an assertion that stays on in release builds, and hints for the compiler.

#pragma once

namespace escapement {
class Error;
}

namespace escapement::detail {
// Prints `what` with its location to standard error (if there is one) and aborts. Never returns. `why` is a
// sentence that says what was done wrong, or the error that was found where a value was expected.
[[noreturn]] void check_failed(const char* what, const char* file, int line) noexcept;
[[noreturn]] void check_failed(const char* what, const char* file, int line, const char* why) noexcept;
[[noreturn]] void check_failed(const char* what, const char* file, int line, const Error& why) noexcept;
}  // namespace escapement::detail

// ESC_CHECK(condition) or ESC_CHECK(condition, why): checks a condition that only a bug can break. Stays on
// in release builds: a stopped program is better than a timer wheel that goes on corrupted. Not for operating
// errors; those are `Error` values. A condition that a user of the library can break has a `why`.
#if defined(__wasm__)
// There is nowhere to print to: the trap shows where, and the module need not carry the texts.
#define ESC_CHECK(condition, ...) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? static_cast<void>(0) : __builtin_trap())
#else
#define ESC_CHECK(condition, ...)                    \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::escapement::detail::check_failed(#condition, ESC_FILE, __LINE__ __VA_OPT__(, ) __VA_ARGS__))
#endif

// The file's name without the path of the machine that built it.
#if defined(__FILE_NAME__)
#define ESC_FILE __FILE_NAME__
#else
#define ESC_FILE __FILE__
#endif

// Keeps a function out of line: the cold half of one whose hot half should stay small.
#define ESC_NOINLINE [[gnu::noinline]]

// Forces inlining, for functions of which little is left where the compiler sees the arguments.
#define ESC_INLINE [[gnu::always_inline]] inline

namespace escapement::detail {
// False, where a template says so only once it is used: for a static_assert that explains a mistake.
template <class...>
inline constexpr bool never = false;
}  // namespace escapement::detail

// With -DESC_CORO_CHECKS clang 17 and later warn (-Wdangling) of a Task that outlives a temporary, or a
// lambda with captures, that it refers to. Off by default: the attributes forbid every function that returns
// a Task and is not a coroutine, those of std::function<Task<...>> included, unless it is marked
// ESC_CORO_WRAPPER. An operation's conversion to a Task, which takes over what the operation holds, is marked
// ESC_CORO_CONVERSION.
#if defined(ESC_CORO_CHECKS) && defined(__clang__)
#define ESC_CORO_TYPE [[clang::coro_return_type, clang::coro_lifetimebound]]
#define ESC_CORO_WRAPPER [[clang::coro_wrapper]]
#define ESC_CORO_CONVERSION [[clang::coro_wrapper, clang::coro_disable_lifetimebound]]
#else
#define ESC_CORO_TYPE
#define ESC_CORO_WRAPPER
#define ESC_CORO_CONVERSION
#endif
