// EpollBackend: Linux epoll, edge-triggered.

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <escapement/io/fd_backend.h>
#include <escapement/io/posix.h>

struct epoll_event;

namespace escapement {

struct EpollOptions {
  // Sleep with epoll_wait's milliseconds, rounded up, as on kernels before 5.11. For tests of that path.
  bool millisecond_sleep = false;
};

// One epoll_ctl per descriptor's life, a second one when a write first has to wait: edge-triggered, so that
// the steady state needs none, and one connection's events do not delay another's (level-triggered epoll
// puts every ready descriptor back into its list: 1.5 times the p99 at 64 connections).
//
// Sleeps with nanosecond timeouts (epoll_pwait2), or rounded up to milliseconds where the kernel has none:
// never short. A timeout that the kernel ends early is no event, and the reactor looks at its own clock.
class EpollBackend final : public FdBackend {
 public:
  explicit EpollBackend(EpollOptions options = EpollOptions());
  ~EpollBackend() override;
  EpollBackend(const EpollBackend&) = delete;

  Instant now() override { return posix::monotonic_now(); }
  SystemTime system_now() override { return posix::wall_now(); }
  std::uint64_t entropy() override { return posix::entropy(); }
  bool wait(Reactor& reactor, Instant until) override;
  void wake() noexcept override { wake_.wake(); }

  Result<> watch(FdWatch& watch) override;
  void unwatch(FdWatch& watch) override;
  void interest_changed(FdWatch& watch) override;
  int pollable_fd() const override { return epoll_.get(); }

 private:
  void deliver(Reactor& reactor, const epoll_event& event);

  // What the kernel hands back is a slot and its generation, so that an event of a watch that ended in the
  // same batch cannot touch what took its place.
  struct Slot {
    FdWatch* watch = nullptr;
    std::uint32_t generation = 0;
    bool writes_armed = false;
  };

  posix::Fd epoll_;
  posix::WakeFd wake_;
  bool nanosecond_sleep_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace escapement
