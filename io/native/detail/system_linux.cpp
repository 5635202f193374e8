#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <escapement/io/address.h>
#include <escapement/io/native/detail/system.h>
#include <escapement/io/native/udp.h>
#include <escapement/io/native/unix.h>

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

namespace {

// Blocks SIGPIPE around a call that has no flag against it, as send has, and discards the one that it raised.
template <class Call>
ssize_t without_sigpipe(Call call) {
  sigset_t pipe;
  sigset_t before;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const ssize_t count = call();
  const int number = errno;
  if (count < 0 && number == EPIPE) {
    const timespec at_once{};
    ::sigtimedwait(&pipe, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = number;
  return count;
}

}  // namespace

ssize_t send_file(int socket, int file, off_t offset, std::size_t most) {
  return without_sigpipe([&] { return ::sendfile(socket, file, &offset, most); });
}

ssize_t write_quietly(int fd, const void* bytes, std::size_t size) {
  return without_sigpipe([&] { return ::write(fd, bytes, size); });
}

bool keep_alive(int socket, int idle, int interval, int probes) {
  const auto set = [socket](int level, int name, int value) {
    return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
  };
  return set(IPPROTO_TCP, TCP_KEEPIDLE, idle) && set(IPPROTO_TCP, TCP_KEEPINTVL, interval) &&
         set(IPPROTO_TCP, TCP_KEEPCNT, probes) && set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

void choose_port_late(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);  // for IPv6, too
}

const short poll_peer_ended = POLLRDHUP;

Fd open_beneath(int root, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how)));
}

namespace {

constexpr std::size_t datagrams_max = 64;

}  // namespace

int receive_datagrams(int socket, std::span<ReceivedDatagram> into) {
  std::array<mmsghdr, datagrams_max> messages{};
  std::array<iovec, datagrams_max> rooms;
  std::array<sockaddr_in6, datagrams_max> peers;
  const std::size_t most = std::min(into.size(), datagrams_max);
  for (std::size_t i = 0; i < most; ++i) {
    rooms[i] = iovec{into[i].room.data(), into[i].room.size()};
    msghdr& header = messages[i].msg_hdr;
    header.msg_name = &peers[i];
    header.msg_namelen = sizeof peers[i];
    header.msg_iov = &rooms[i];
    header.msg_iovlen = 1;
  }
  const int count = ::recvmmsg(socket, messages.data(), static_cast<unsigned>(most), MSG_TRUNC, nullptr);
  for (int n = 0; n < count; ++n) {
    const auto i = static_cast<std::size_t>(n);
    into[i].size = messages[i].msg_len;  // MSG_TRUNC: the datagram's, not the room's
    into[i].peer =
        SocketAddress(reinterpret_cast<const sockaddr*>(&peers[i]), messages[i].msg_hdr.msg_namelen);
  }
  return count;
}

int send_datagrams(int socket, std::span<const OutgoingDatagram> from, std::span<const SocketAddress> to) {
  std::array<mmsghdr, datagrams_max> messages{};
  std::array<iovec, datagrams_max> pieces;
  const std::size_t most = std::min(from.size(), datagrams_max);
  for (std::size_t i = 0; i < most; ++i) {
    pieces[i] = iovec{const_cast<std::byte*>(from[i].bytes.data()), from[i].bytes.size()};
    msghdr& header = messages[i].msg_hdr;
    header.msg_name = to[i].size() != 0 ? const_cast<sockaddr*>(to[i].data()) : nullptr;
    header.msg_namelen = to[i].size();
    header.msg_iov = &pieces[i];
    header.msg_iovlen = 1;
  }
  return ::sendmmsg(socket, messages.data(), static_cast<unsigned>(most), MSG_NOSIGNAL);
}

// A socket of IPv6 may have both kinds of peers.
bool report_errors(int socket, int family) {
  const int on = 1;
  if (family == AF_INET) return ::setsockopt(socket, IPPROTO_IP, IP_RECVERR, &on, sizeof on) == 0;
  ::setsockopt(socket, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  return ::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on) == 0;
}

// ip(7), "IP_RECVERR": the sender's datagram comes back with its destination and an extended error.
bool take_reported_error(int socket, int& number, SocketAddress& destination) {
  alignas(cmsghdr) std::array<std::byte, 512> control;
  sockaddr_in6 name{};
  msghdr message{};
  message.msg_name = &name;
  message.msg_namelen = sizeof name;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
  destination = SocketAddress(reinterpret_cast<const sockaddr*>(&name), message.msg_namelen);
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    const bool v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
    const bool v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
    if (!v4 && !v6) continue;
    sock_extended_err report{};
    std::memcpy(&report, CMSG_DATA(part), sizeof report);
    number = static_cast<int>(report.ee_errno);
  }
  return true;
}

bool peer_credentials(int socket, UnixCredentials& peer) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return false;
  peer.process = credentials.pid;
  peer.user = credentials.uid;
  peer.group = credentials.gid;
  return true;
}

// unix(7): a name after a zero byte, as long as the address says.
socklen_t abstract_address(sockaddr_un& address, std::string_view name) {
  const std::size_t length = std::min(name.size(), sizeof address.sun_path - 1);
  address.sun_path[0] = '\0';
  std::memcpy(address.sun_path + 1, name.data(), length);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
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

Pipe open_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return Pipe{};
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

int add_child_directory(posix_spawn_file_actions_t& actions, const char* path) {
  return ::posix_spawn_file_actions_addchdir_np(&actions, path);
}

int add_child_close_from(posix_spawn_file_actions_t& actions, int first) {
  return ::posix_spawn_file_actions_addclosefrom_np(&actions, first);
}

// Linux 5.3; some filters of system calls refuse it.
Fd open_process(pid_t id) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, id, 0))); }

int signal_process(int process, int number) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, process, number, nullptr, 0));
}

// fs/select.c, select_estimate_accuracy. A nice value that changes later is not noticed: such a loop is as
// late as it would be without this, or takes one sleep more.
int sleep_slack_divisor() { return ::getpriority(PRIO_PROCESS, 0) > 0 ? 200 : 1000; }

Duration timer_slack() { return Duration::nanoseconds(::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)); }

void set_timer_slack(Duration slack) {
  ::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack.count()), 0, 0, 0);
}

int thread_id() { return static_cast<int>(::gettid()); }

Duration boot_time() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return Duration::nanoseconds(time.tv_sec * 1'000'000'000LL + time.tv_nsec);
}

Fd open_boot_timer() { return Fd(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)); }

// A deadline of zero would turn the timer off.
void set_boot_timer(int timer, Duration deadline) {
  itimerspec setting{};
  if (deadline != Duration::max())
    setting.it_value = to_timespec(std::max(deadline, Duration::nanoseconds(1)));
  ::timerfd_settime(timer, TFD_TIMER_ABSTIME, &setting, nullptr);
}

void name_this_thread(std::string name) {
  constexpr std::size_t longest = 15;  // pthread_setname_np(3)
  if (name.size() > longest) name.resize(longest);
  ::pthread_setname_np(::pthread_self(), name.c_str());
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

}  // namespace escapement::posix
