// Ends esc-timers with the reason (last_words.h) when the system refuses something that a measurement needs.

#pragma once

#include <cerrno>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <escapement/core/error.h>
#include <escapement/io/native/posix.h>

namespace escapement::lateness {

template <class T>
T needed(Result<T> result) {
  if (result) return *std::move(result);
  if (result.error().os_number() == ENOMEM) throw std::bad_alloc();
  throw std::runtime_error(result.error().message());
}

// Takes ownership of `fd`, the result of a system call.
inline posix::Fd needed_fd(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return posix::Fd(fd);
}

}  // namespace escapement::lateness
