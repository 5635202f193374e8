// PollBackend: POSIX poll, level-triggered. For systems without epoll, and as a second implementation in
// tests.

#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <vector>

#include <escapement/io/native/detail/system.h>
#include <escapement/io/native/detail/wake_fd.h>
#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/native/precision.h>

namespace escapement {

// Settings of a poll backend.
struct PollOptions {
  Precision precision;  // how precisely `wait` ends
};

// Walks over all watched descriptors in every turn. Sets interest only while somebody waits, so a descriptor
// that is ready but unwanted does not make the loop spin. Sleeps with nanosecond timeouts (ppoll; precision.h
// has the details).
class PollBackend final : public FdBackend {
 public:
  // Errors: overloaded when no descriptor is left.
  static Result<std::unique_ptr<FdBackend>> make(PollOptions options);
  ~PollBackend() override;
  PollBackend(const PollBackend&) = delete;

  Instant now() override { return posix::monotonic_now(); }
  SystemTime system_now() override { return posix::wall_now(); }
  std::uint64_t entropy() override { return posix::entropy(); }
  bool wait(Reactor& reactor, Instant until) override;
  void wake() noexcept override { wake_.wake(); }

  Result<> watch(FdWatch& watch) override;
  void unwatch(FdWatch& watch) override;
  Result<> watch_writes(FdWatch&) override { return {}; }
  int pollable_fd() const override { return -1; }

 private:
  PollBackend(PollOptions options, posix::Wakeup wake) : wake_(std::move(wake)), plan_(options.precision) {
    make_room(16);
  }
  void make_room(std::size_t watches);
  // Fills polled_ and waiting_ with the descriptors that somebody waits for.
  void list_interest();
  // Sleeps as the plan says and returns whether there are events.
  bool collect(Reactor& reactor, Instant until);

  posix::WakeFd wake_;
  detail::SleepPlan plan_;
  std::vector<FdWatch*> watches_;
  std::vector<pollfd> polled_;  // the waker, then one for each of waiting_
  std::vector<FdWatch*> waiting_;
};

}  // namespace escapement
