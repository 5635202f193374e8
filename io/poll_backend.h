// PollBackend: POSIX poll, level-triggered. For systems without epoll, and as the second opinion in tests.

#pragma once

#include <cstdint>
#include <vector>

#include <escapement/io/fd_backend.h>
#include <escapement/io/posix.h>

namespace escapement {

// Costs a walk over all watched descriptors per turn. Interest is set only while somebody waits, so what is
// ready and not wanted does not spin. Sleeps with nanosecond timeouts (ppoll).
class PollBackend final : public FdBackend {
 public:
  Instant now() override { return posix::monotonic_now(); }
  SystemTime system_now() override { return posix::wall_now(); }
  std::uint64_t entropy() override { return posix::entropy(); }
  bool wait(Reactor& reactor, Instant until) override;
  void wake() noexcept override { wake_.wake(); }

  Result<> watch(FdWatch& watch) override;
  void unwatch(FdWatch& watch) override;
  void interest_changed(FdWatch&) override {}
  int pollable_fd() const override { return -1; }

 private:
  posix::WakeFd wake_;
  std::vector<FdWatch*> watches_;
};

}  // namespace escapement
