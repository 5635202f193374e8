// System calls that fail on demand in every caller: the linker's --wrap leads every call of io_test here
// (tests/CMakeLists.txt).

#pragma once

#include <climits>
#include <cstddef>

namespace escapement::test {

enum class Call : std::size_t {
  accept4,
  allocate,
  epoll_create1,
  epoll_ctl_add,
  epoll_ctl_mod,
  eventfd,
  fsync,
  pread,
  pwrite,
  recv,
  rename,
  send,
  setsockopt,
  socket,
  count_of_them
};

// While it lives `call` works `works` times, and then for `times` does nothing but fail with `number` as its
// errno, on any thread. One at a time for each call. With 0 as the number pread and pwrite move one byte.
class FailingCall {
 public:
  FailingCall(Call call, int number, long times = LONG_MAX, long works = 0);
  FailingCall(const FailingCall&) = delete;
  ~FailingCall();

  // Returns how many failed.
  long count() const;

 private:
  Call call_;
};

}  // namespace escapement::test
