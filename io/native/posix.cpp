#include <escapement/io/native/posix.h>

#include <time.h>
#include <unistd.h>

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

timespec to_timespec(Duration length) {
  timespec time{};
  time.tv_sec = length.count() / 1'000'000'000;
  time.tv_nsec = length.count() % 1'000'000'000;
  return time;
}

}  // namespace escapement::posix
