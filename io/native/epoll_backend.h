// EpollBackend: Linux epoll, edge-triggered.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <escapement/core/detail/check.h>
#include <escapement/io/native/detail/system.h>
#include <escapement/io/native/detail/wake_fd.h>
#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/native/precision.h>

struct epoll_event;

namespace escapement {

// The signature of epoll_pwait2(2) without its last argument: returns the number of events, or -1 and errno.
using EpollWait = int (*)(int epoll, epoll_event* events, int room, const timespec* timeout);
int epoll_pwait2_of_the_kernel(int epoll, epoll_event* events, int room, const timespec* timeout);

// Settings of an epoll backend.
struct EpollOptions {
  Precision precision;  // how precisely `wait` ends
  // Replaces the system call in tests, to imitate kernels that lack or refuse it.
  EpollWait pwait2 = epoll_pwait2_of_the_kernel;
};

// Edge-triggered: costs one epoll_ctl per descriptor, and a second one when a write first has to wait. The
// steady state needs none, and one connection's events do not delay another's (level-triggered epoll puts
// every ready descriptor back into its list: 1.5 times the p99 at 64 connections).
//
// Sleeps with nanosecond timeouts (epoll_pwait2; precision.h has the details). Kernels before 5.11 lack that
// call, and seccomp filters that do not know it answer EPERM. From the first refusal on, epoll_wait sleeps
// the whole milliseconds and ppoll on the epoll descriptor the remainder. That is as exact, but costs one
// more wake-up and one more call before a deadline. A timeout that the kernel ends early is not an event: the
// reactor reads its own clock.
class EpollBackend final : public FdBackend {
 public:
  // Errors: overloaded when descriptors or memory run out.
  static Result<std::unique_ptr<FdBackend>> make(EpollOptions options);
  ~EpollBackend() override;
  EpollBackend(const EpollBackend&) = delete;

  Instant now() override { return posix::monotonic_now(); }
  SystemTime system_now() override { return posix::wall_now(); }
  std::uint64_t entropy() override { return posix::entropy(); }
  bool wait(Reactor& reactor, Instant until) override;
  void wake() noexcept override { wake_.wake(); }

  Result<> watch(FdWatch& watch) override;
  void unwatch(FdWatch& watch) override;
  void unwatch_closing(FdWatch& watch) override;
  Result<> watch_writes(FdWatch& watch) override;
  int pollable_fd() const override { return epoll_.get(); }

 private:
  EpollBackend(EpollOptions options, posix::Fd epoll, posix::Wakeup wake);
  // Sleeps for at most `timeout` (Duration::max(): for ever) and returns the number of events.
  int collect(epoll_event* events, Duration timeout);
  int collect_without_pwait2(epoll_event* events, Duration timeout);
  ESC_INLINE void deliver(Reactor& reactor, const epoll_event& event);

  // One entry of the table that the kernel's events refer to, by slot and generation: an event for a watch
  // that ended in the same batch cannot reach the watch that replaced it.
  struct Slot {
    FdWatch* watch = nullptr;
    std::uint32_t generation = 0;
    bool writes_armed = false;
  };

  posix::Fd epoll_;
  posix::WakeFd wake_;
  detail::SleepPlan plan_;
  EpollWait pwait2_;
  bool has_pwait2_ = true;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace escapement
