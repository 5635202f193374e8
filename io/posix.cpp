#include <escapement/io/posix.h>

#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include <escapement/core/check.h>

namespace escapement::posix {

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Instant monotonic_now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant::from_nanoseconds(time.tv_sec * 1'000'000'000LL + time.tv_nsec);
}

SystemTime wall_now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return SystemTime::from_unix_milliseconds(time.tv_sec * 1'000LL + time.tv_nsec / 1'000'000);
}

std::uint64_t entropy() {
  std::uint64_t bits = 0;
  // Fails only before the kernel's generator is ready; the clock then has to do, as this is not for secrets.
  if (::getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
    bits = static_cast<std::uint64_t>(monotonic_now().nanoseconds());
  }
  return bits;
}

WakeFd::WakeFd() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { ESC_CHECK(fd_); }

void WakeFd::wake() noexcept {
  if (pending_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
}

void WakeFd::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(fd_.get(), &count, sizeof count);
  // An exchange, not a store: what was posted before a wake that found this still set is seen afterwards.
  pending_.exchange(false, std::memory_order_acq_rel);
}

int milliseconds_until(Instant now, Instant until) {
  if (until == Instant::never()) return -1;
  if (until <= now) return 0;
  const std::int64_t left = (until - now).count();
  const std::int64_t milliseconds = left / 1'000'000 + (left % 1'000'000 != 0 ? 1 : 0);
  return static_cast<int>(std::min<std::int64_t>(milliseconds, 1'000'000'000));
}

}  // namespace escapement::posix
