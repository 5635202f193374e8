#include <escapement/io/native/posix.h>

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

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
  // getrandom fails only until the kernel's generator is ready. The clock suffices then: this is not for
  // secrets.
  if (::getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
    bits = static_cast<std::uint64_t>(monotonic_now().nanoseconds());
  }
  return bits;
}

Result<Fd> WakeFd::open() {
  Fd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd) return Error::from_errno(errno, "make a loop: eventfd");
  return fd;
}

void WakeFd::wake() noexcept {
  if (pending_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
}

void WakeFd::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(fd_.get(), &count, sizeof count);
  // Exchange rather than store: functions posted before a wake that found the flag still set are then
  // visible.
  pending_.exchange(false, std::memory_order_acq_rel);
}

timespec to_timespec(Duration length) {
  timespec time{};
  time.tv_sec = length.count() / 1'000'000'000;
  time.tv_nsec = length.count() % 1'000'000'000;
  return time;
}

ssize_t send_file(int socket, int file, off_t offset, std::size_t most) {
  sigset_t pipe;
  sigset_t before;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const ssize_t count = ::sendfile(socket, file, &offset, most);
  const int number = errno;
  if (count < 0 && number == EPIPE) {
    const timespec at_once{};
    ::sigtimedwait(&pipe, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = number;
  return count;
}

Duration timer_slack() { return Duration::nanoseconds(::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)); }

void set_timer_slack(Duration slack) {
  ::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack.count()), 0, 0, 0);
}

bool niced() { return ::getpriority(PRIO_PROCESS, 0) > 0; }

int thread_id() { return static_cast<int>(::gettid()); }

}  // namespace escapement::posix
