#include <escapement/io/native/epoll_backend.h>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <escapement/core/detail/check.h>

namespace escapement {

namespace {

constexpr std::uint64_t wake_tag = UINT64_MAX;
constexpr int batch = 256;

std::uint64_t tag_of(std::size_t slot, std::uint32_t generation) {
  return static_cast<std::uint64_t>(generation) << 32 | slot;
}

}  // namespace

int epoll_pwait2_of_the_kernel(int epoll, epoll_event* events, int room, const timespec* timeout) {
  return static_cast<int>(::syscall(SYS_epoll_pwait2, epoll, events, room, timeout, nullptr, 0));
}

Result<std::unique_ptr<FdBackend>> EpollBackend::make(EpollOptions options) {
  posix::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Error::from_errno(errno, "make a loop: epoll_create1");
  Result<posix::Wakeup> wake = posix::open_wakeup();
  if (!wake) return std::move(wake).error();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = wake_tag;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake->receiver.get(), &event) != 0) {
    return Error::from_errno(errno, "make a loop: epoll_ctl");
  }
  return std::unique_ptr<FdBackend>(new EpollBackend(options, std::move(epoll), *std::move(wake)));
}

EpollBackend::EpollBackend(EpollOptions options, posix::Fd epoll, posix::Wakeup wake)
    : epoll_(std::move(epoll)), wake_(std::move(wake)), plan_(options.precision), pwait2_(options.pwait2) {}

EpollBackend::~EpollBackend() {
  ESC_CHECK(free_slots_.size() == slots_.size(),
            "a loop was destroyed before what watches descriptors on it: a stream, listener, client, server "
            "or Signals");
}

bool EpollBackend::wait(Reactor& reactor, Instant until) {
  epoll_event events[batch];
  plan_.begin();
  Duration timeout;
  if (until == Instant::never()) {
    timeout = Duration::max();
  } else if (until > reactor.now()) {
    timeout = plan_.ask(until - now());
  }
  const int count = collect(events, timeout);
  // Treat EINTR like any other early return: the reactor reads the clock and waits again.
  for (int i = 0; i < count; ++i) deliver(reactor, events[i]);
  return true;
}

int EpollBackend::collect(epoll_event* events, Duration timeout) {
  if (has_pwait2_) {
    const timespec time = posix::to_timespec(timeout);
    const int count = pwait2_(epoll_.get(), events, batch, timeout == Duration::max() ? nullptr : &time);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    has_pwait2_ = false;
  }
  return collect_without_pwait2(events, timeout);
}

int EpollBackend::collect_without_pwait2(epoll_event* events, Duration timeout) {
  if (timeout == Duration::max()) return ::epoll_wait(epoll_.get(), events, batch, -1);
  const std::int64_t milliseconds = std::min<std::int64_t>(timeout.count() / 1'000'000, 1'000'000'000);
  if (milliseconds == 0 && timeout > Duration()) {
    pollfd polled{epoll_.get(), POLLIN, 0};
    const timespec time = posix::to_timespec(timeout);
    const int ready = ::ppoll(&polled, 1, &time, nullptr);
    if (ready <= 0) return ready;
  }
  return ::epoll_wait(epoll_.get(), events, batch, static_cast<int>(milliseconds));
}

void EpollBackend::deliver(Reactor& reactor, const epoll_event& event) {
  if (event.data.u64 == wake_tag) return wake_.clear();
  const Slot& slot = slots_[static_cast<std::uint32_t>(event.data.u64)];
  if (slot.watch == nullptr || slot.generation != event.data.u64 >> 32) return;
  FdWatch& watch = *slot.watch;
  std::uint32_t what = event.events;
  if ((what & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) {
    watch.ending = true;
    watch.write_closed = watch.write_closed || (what & (EPOLLERR | EPOLLHUP)) != 0;
    what |= watch.write_closed ? EPOLLIN | EPOLLOUT : EPOLLIN;
  }
  if ((what & EPOLLIN) != 0) {
    watch.may_read = true;
    if (watch.readable != nullptr) reactor.ready(*std::exchange(watch.readable, nullptr));
  }
  if ((what & EPOLLOUT) != 0) {
    watch.may_write = true;
    if (watch.writable != nullptr) reactor.ready(*std::exchange(watch.writable, nullptr));
  }
}

Result<> EpollBackend::watch(FdWatch& watch) {
  if (free_slots_.empty()) {
    if (slots_.size() == slots_.capacity()) slots_.reserve(std::max<std::size_t>(16, 2 * slots_.size()));
    free_slots_.reserve(slots_.capacity());  // `unwatch` must not need memory
    slots_.emplace_back();
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
  }
  watch.slot = free_slots_.back();
  Slot& slot = slots_[watch.slot];
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.u64 = tag_of(watch.slot, slot.generation);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, watch.fd, &event) != 0) {
    return Error::from_errno(errno, "watch a descriptor");
  }
  free_slots_.pop_back();
  slot.watch = &watch;
  slot.writes_armed = false;
  return {};
}

void EpollBackend::unwatch(FdWatch& watch) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watch.fd, nullptr);
  unwatch_closing(watch);
}

// Invalidates pending events: they carry the old generation.
void EpollBackend::unwatch_closing(FdWatch& watch) {
  Slot& slot = slots_[watch.slot];
  ESC_CHECK(slot.watch == &watch);
  slot.watch = nullptr;
  ++slot.generation;
  free_slots_.push_back(watch.slot);
}

// Arms writing the first time a write has to wait, and for good. Reading is armed from the start.
Result<> EpollBackend::watch_writes(FdWatch& watch) {
  Slot& slot = slots_[watch.slot];
  if (slot.writes_armed) return {};
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = tag_of(watch.slot, slot.generation);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, watch.fd, &event) != 0) {
    return Error::from_errno(errno, "watch a descriptor for writing");
  }
  slot.writes_armed = true;
  return {};
}

}  // namespace escapement
