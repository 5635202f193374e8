// The kernel's calls alone, without any loop around them.

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <escapement/core/detail/check.h>
#include <escapement/io/native/epoll_backend.h>
#include <escapement/io/native/posix.h>

#include "tools/timers/contender.h"
#include "tools/timers/needed.h"

namespace escapement::lateness {

namespace {

class TimerFd final : public Sleeper {
 public:
  TimerFd() : fd_(needed_fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create")) {}

  Duration sleep(Duration length) override {
    const Instant deadline = posix::monotonic_now() + length;
    itimerspec setting{};
    setting.it_value = posix::to_timespec(deadline - Instant());
    ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
    std::uint64_t fired = 0;
    ESC_CHECK(::read(fd_.get(), &fired, sizeof fired) == sizeof fired);
    return posix::monotonic_now() - deadline;
  }

 private:
  posix::Fd fd_;
};

class Nanosleep final : public Sleeper {
 public:
  Duration sleep(Duration length) override {
    const Instant deadline = posix::monotonic_now() + length;
    const timespec until = posix::to_timespec(deadline - Instant());
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
    return posix::monotonic_now() - deadline;
  }
};

class BarePwait2 final : public Sleeper {
 public:
  BarePwait2() : fd_(needed_fd(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

  Duration sleep(Duration length) override {
    const Instant deadline = posix::monotonic_now() + length;
    const timespec timeout = posix::to_timespec(length);
    epoll_event event{};
    epoll_pwait2_of_the_kernel(fd_.get(), &event, 1, &timeout);
    return posix::monotonic_now() - deadline;
  }

 private:
  posix::Fd fd_;
};

}  // namespace

void add_floors(std::vector<Contender>& contenders) {
  contenders.push_back({"timerfd", "the kernel alone: timerfd, absolute, and read", Kind::floor,
                        [] { return std::make_unique<TimerFd>(); }});
  contenders.push_back({"clock_nanosleep", "the kernel alone: absolute", Kind::floor,
                        [] { return std::make_unique<Nanosleep>(); }});
  contenders.push_back({"bare epoll_pwait2", "the kernel alone: its timeout with the slack it adds",
                        Kind::floor, [] { return std::make_unique<BarePwait2>(); }});
}

}  // namespace escapement::lateness
