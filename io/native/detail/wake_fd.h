// WakeFd: lets other threads wake a sleeping poller. Each backend has one.

#pragma once

#include <atomic>
#include <utility>

#include <escapement/io/native/detail/system.h>

namespace escapement::posix {

// Many wakes before the poller looks are one.
class WakeFd {
 public:
  explicit WakeFd(Wakeup opened) : wakeup_(std::move(opened)) {}
  int fd() const { return wakeup_.receiver.get(); }
  // Thread-safe.
  void wake() noexcept;
  // Called by the poller when the descriptor is readable.
  void clear() noexcept;

 private:
  Wakeup wakeup_;
  std::atomic<bool> pending_{false};
};

}  // namespace escapement::posix
