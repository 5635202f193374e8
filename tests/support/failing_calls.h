// System calls that fail on demand, whoever makes them: the linker's --wrap leads every call of io_test here
// (tests/CMakeLists.txt).

#pragma once

#include <climits>
#include <cstddef>

namespace escapement::test {

enum class Call : std::size_t { accept4, epoll_create1, epoll_ctl_add, epoll_ctl_mod, eventfd };

// While it lives the next `times` of `call` do nothing but fail with `number` as their errno, on any thread.
// One at a time for each call.
class FailingCall {
 public:
  FailingCall(Call call, int number, long times = LONG_MAX);
  FailingCall(const FailingCall&) = delete;
  ~FailingCall();

  // How many did.
  long count() const;

 private:
  Call call_;
};

}  // namespace escapement::test
