#include "no_kernel.h"

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#include <cerrno>

namespace bench {

Ns stopwatch() {
  using Read = int (*)(clockid_t, timespec*);
  static const Read read = reinterpret_cast<Read>(dlsym(RTLD_NEXT, "clock_gettime"));
  timespec now;
  read(CLOCK_MONOTONIC, &now);
  return now.tv_sec * second + now.tv_nsec;
}

}  // namespace bench

extern "C" {

int clock_gettime(clockid_t, timespec* out) noexcept {
  out->tv_sec = bench::virtual_time / bench::second;
  out->tv_nsec = bench::virtual_time % bench::second;
  return 0;
}

int gettimeofday(timeval* __restrict out, void* __restrict) noexcept {
  out->tv_sec = bench::virtual_time / bench::second;
  out->tv_usec = bench::virtual_time % bench::second / bench::microsecond;
  return 0;
}

int epoll_wait(int, epoll_event*, int, int) { return 0; }
int epoll_pwait(int, epoll_event*, int, int, const sigset_t*) { return 0; }
int epoll_ctl(int, int, int, epoll_event*) noexcept { return 0; }

int timerfd_create(int, int) noexcept {
  errno = ENOSYS;
  return -1;
}

}  // extern "C"
