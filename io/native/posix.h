// Descriptors and clocks, as POSIX has them.

#pragma once

#include <time.h>

#include <utility>

#include <escapement/core/system_time.h>
#include <escapement/core/time.h>

namespace escapement::posix {

// Owns a file descriptor and closes it when destroyed.
class Fd {
 public:
  Fd() = default;
  // Owns `fd` from now on.
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  // Returns the descriptor's number, -1 if there is none.
  int get() const { return fd_; }
  // Releases ownership; the caller must close the descriptor.
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }
  // Closes the descriptor. Does not retry after EINTR: on Linux the descriptor is closed by then, and its
  // number may already belong to another file.
  void reset();

 private:
  int fd_ = -1;
};

// Reads CLOCK_MONOTONIC, which stops while the machine is suspended and never goes back.
Instant monotonic_now();
// Reads CLOCK_REALTIME.
SystemTime wall_now();

// Converts a non-negative duration for ppoll and epoll_pwait2.
timespec to_timespec(Duration length);

}  // namespace escapement::posix
