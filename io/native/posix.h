// System calls shared by both pollers.

#pragma once

#include <sys/types.h>
#include <time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <escapement/core/error.h>
#include <escapement/core/system_time.h>
#include <escapement/core/time.h>

namespace escapement::posix {

// Owns a file descriptor and closes it when destroyed.
class Fd {
 public:
  Fd() = default;
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
// Returns 64 bits from the kernel's random generator.
std::uint64_t entropy();

// An eventfd that other threads write to in order to wake a sleeping poller. Several wakes before the poller
// looks count as one.
class WakeFd {
 public:
  // Opens the descriptor that a WakeFd is made of. Errors: overloaded.
  static Result<Fd> open();
  explicit WakeFd(Fd opened) : fd_(std::move(opened)) {}
  int fd() const { return fd_.get(); }
  // Wakes the poller; may be called from any thread.
  void wake() noexcept;
  // Called by the poller when the descriptor is readable.
  void clear() noexcept;

 private:
  Fd fd_;
  std::atomic<bool> pending_{false};
};

// Converts a non-negative duration for ppoll and epoll_pwait2.
timespec to_timespec(Duration length);

// Calls sendfile without raising SIGPIPE. sendfile has no flag for that, as send does, so the signal is
// blocked and discarded.
ssize_t send_file(int socket, int file, off_t offset, std::size_t most);

// How much the kernel may delay this thread's sleeps in order to merge wake-ups.
Duration timer_slack();
void set_timer_slack(Duration slack);
// Returns whether this thread's nice value is above 0.
bool niced();
// Returns the kernel's id of this thread.
int thread_id();

}  // namespace escapement::posix
