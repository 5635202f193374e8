#include <escapement/io/native/boot_timer.h>

#include <cerrno>

#include <escapement/core/detail/defer.h>
#include <escapement/io/native/detail/system.h>

namespace escapement {

BootInstant boot_now() { return BootInstant(posix::boot_time()); }

Result<std::unique_ptr<BootTimer>> BootTimer::make(FdBackend& backend) {
  posix::Fd fd = posix::open_boot_timer();
  if (!fd) return Error::from_errno(errno, "a boot timer");
  std::unique_ptr<BootTimer> timer(new BootTimer(backend, std::move(fd)));
  if (Result<> watched = backend.watch(timer->watch_); !watched) return std::move(watched).error();
  timer->watched_ = true;
  return timer;
}

BootTimer::~BootTimer() {
  if (watched_) backend_.unwatch_closing(watch_);
}

Task<> BootTimer::sleep_until(BootInstant deadline) {
  // Otherwise the timer would go off for nobody, and keep poll awake.
  const Defer off([this] { posix::set_boot_timer(fd_.get(), Duration::max()); });
  while (boot_now() < deadline) {
    posix::set_boot_timer(fd_.get(), deadline.since_boot);
    co_await detail::until_readable(watch_);
  }
}

Task<> BootTimer::sleep(Duration length) {
  const BootInstant deadline = boot_now() + length;
  co_await sleep_until(deadline);
}

}  // namespace escapement
