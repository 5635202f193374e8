#include <linux/openat2.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>

#include <cerrno>

#include <escapement/io/native/detail/system.h>

namespace escapement::posix {

Fd open_socket(int family, int type) { return Fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

Fd accept_connection(int listener, sockaddr_storage& peer, socklen_t& length) {
  length = sizeof peer;
  return Fd(::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

// accept(2), "Error handling".
bool connection_broke(int number) {
  switch (number) {
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EINTR:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTO:
    case ETIMEDOUT: return true;
    default: return false;
  }
}

void share_address(int socket) {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

// sendfile has no flag against SIGPIPE, as send does, so the signal is blocked and discarded.
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

const short poll_peer_ended = POLLRDHUP;

Fd open_beneath(int root, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how)));
}

Result<Wakeup> open_wakeup() {
  Fd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd) return Error::from_errno(errno, "make a loop: eventfd");
  return Wakeup{std::move(fd), Fd()};
}

void send_wakeup(const Wakeup& wakeup) noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wakeup.receiver.get(), &one, sizeof one);
}

void take_wakeups(const Wakeup& wakeup) noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(wakeup.receiver.get(), &count, sizeof count);
}

Fd open_signals(const sigset_t& numbers) { return Fd(::signalfd(-1, &numbers, SFD_NONBLOCK | SFD_CLOEXEC)); }

int take_signal(int signals) {
  for (;;) {
    signalfd_siginfo info{};
    const ssize_t count = ::read(signals, &info, sizeof info);
    if (count == sizeof info) return static_cast<int>(info.ssi_signo);
    if (errno != EINTR) return 0;
  }
}

// fs/select.c, select_estimate_accuracy. A nice value that changes later is not noticed: such a loop is as
// late as it would be without this, or takes one sleep more.
int sleep_slack_divisor() { return ::getpriority(PRIO_PROCESS, 0) > 0 ? 200 : 1000; }

Duration timer_slack() { return Duration::nanoseconds(::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)); }

void set_timer_slack(Duration slack) {
  ::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack.count()), 0, 0, 0);
}

int thread_id() { return static_cast<int>(::gettid()); }

std::uint64_t entropy() {
  std::uint64_t bits = 0;
  // getrandom fails only until the kernel's generator is ready. The clock suffices then: this is not for
  // secrets.
  if (::getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
    bits = static_cast<std::uint64_t>(monotonic_now().nanoseconds());
  }
  return bits;
}

}  // namespace escapement::posix
