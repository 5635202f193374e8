#include <escapement/timers/sleep_backend.h>

#include <chrono>
#include <random>

namespace escapement {

namespace {

// A wait for longer than this ends early, which costs a turn: libraries compute with other clocks' epochs,
// and the far ends of their ranges overflow.
constexpr Duration longest = 24h;

}  // namespace

Instant SleepBackend::now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Instant::from_nanoseconds(std::chrono::floor<std::chrono::nanoseconds>(since).count());
}

SystemTime SleepBackend::system_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return SystemTime::from_unix_milliseconds(std::chrono::floor<std::chrono::milliseconds>(since).count());
}

std::uint64_t SleepBackend::entropy() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

bool SleepBackend::wait(Reactor&, Instant until) {
  const Duration left = until - now();
  std::unique_lock lock(mutex_);
  if (left > Duration()) {
    const auto most = std::chrono::nanoseconds((left < longest ? left : longest).count());
    changed_.wait_for(lock, most, [this] { return woken_; });
  }
  woken_ = false;
  return true;
}

void SleepBackend::wake() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

}  // namespace escapement
