// The few system calls that both pollers need.

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

// Owns a descriptor; closes it.
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
  // Whoever asks closes it.
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }
  // Not retried after EINTR: on Linux the descriptor is gone by then, and the number may be somebody else's.
  void reset();

 private:
  int fd_ = -1;
};

// CLOCK_MONOTONIC: does not run while the machine is suspended, and never goes back.
Instant monotonic_now();
// CLOCK_REALTIME.
SystemTime wall_now();
// From the kernel's generator.
std::uint64_t entropy();

// An eventfd that other threads write to so that a sleeping poller returns. Many wakes before the poller
// looks are one.
class WakeFd {
 public:
  // The descriptor that one is made of. Fails: overloaded.
  static Result<Fd> open();
  explicit WakeFd(Fd opened) : fd_(std::move(opened)) {}
  int fd() const { return fd_.get(); }
  // Any thread.
  void wake() noexcept;
  // By the poller, when the descriptor is readable.
  void clear() noexcept;

 private:
  Fd fd_;
  std::atomic<bool> pending_{false};
};

// What ppoll and epoll_pwait2 take. `length` is not negative.
timespec to_timespec(Duration length);

// sendfile, which unlike send cannot be told to raise no SIGPIPE: that one is kept from being delivered.
ssize_t send_file(int socket, int file, off_t offset, std::size_t most);

// How late the kernel may make this thread's sleeps so that wake-ups fall together.
Duration timer_slack();
void set_timer_slack(Duration slack);
// Whether this thread's nice value is above 0.
bool niced();
// The kernel's number of this thread.
int thread_id();

}  // namespace escapement::posix
