#include <escapement/io/native/detail/wake_fd.h>

namespace escapement::posix {

void WakeFd::wake() noexcept {
  if (!pending_.exchange(true, std::memory_order_acq_rel)) send_wakeup(wakeup_);
}

void WakeFd::clear() noexcept {
  take_wakeups(wakeup_);
  // An exchange, not a store: what was posted before a wake that found this still set is seen afterwards.
  pending_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace escapement::posix
