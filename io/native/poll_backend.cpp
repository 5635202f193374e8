#include <escapement/io/native/poll_backend.h>

#include <escapement/core/detail/check.h>

namespace escapement {

Result<std::unique_ptr<FdBackend>> PollBackend::make(PollOptions options) {
  Result<posix::Wakeup> wake = posix::open_wakeup();
  if (!wake) return std::move(wake).error();
  return std::unique_ptr<FdBackend>(new PollBackend(options, *std::move(wake)));
}

PollBackend::~PollBackend() {
  ESC_CHECK(watches_.empty(),
            "a loop was destroyed before what watches descriptors on it: a stream, listener, client, server "
            "or Signals");
}

bool PollBackend::wait(Reactor& reactor, Instant until) {
  plan_.begin();
  list_interest();
  if (!collect(reactor, until)) return true;
  if ((polled_[0].revents & POLLIN) != 0) wake_.clear();
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const int events = polled_[i + 1].revents;
    const bool broken = (events & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    FdWatch& watch = *waiting_[i];
    if (broken || (events & (POLLIN | posix::poll_peer_ended)) != 0) {
      watch.may_read = true;
      watch.ending = watch.ending || broken || (events & posix::poll_peer_ended) != 0;
      watch.write_closed = watch.write_closed || broken;
      if (watch.readable != nullptr) reactor.ready(*std::exchange(watch.readable, nullptr));
    }
    if (broken || (events & POLLOUT) != 0) {
      watch.may_write = true;
      if (watch.writable != nullptr) reactor.ready(*std::exchange(watch.writable, nullptr));
    }
  }
  return true;
}

void PollBackend::list_interest() {
  polled_.clear();
  waiting_.clear();
  polled_.push_back({wake_.fd(), POLLIN, 0});
  for (FdWatch* watch : watches_) {
    if (watch->readable == nullptr && watch->writable == nullptr) continue;
    int interest = watch->writable != nullptr ? POLLOUT : 0;
    if (watch->readable != nullptr) {
      // Do not ask for what is already known: poll would report it again at once.
      if (!watch->news_only || !watch->may_read) interest |= POLLIN;
      if (!watch->news_only || !watch->ending) interest |= posix::poll_peer_ended;
    }
    polled_.push_back({watch->fd, static_cast<short>(interest), 0});
    waiting_.push_back(watch);
  }
}

bool PollBackend::collect(Reactor& reactor, Instant until) {
  timespec timeout{};
  if (until > reactor.now() && until != Instant::never())
    timeout = posix::to_timespec(plan_.ask(until - now()));
  return ::ppoll(polled_.data(), polled_.size(), until == Instant::never() ? nullptr : &timeout, nullptr) > 0;
}

// Reserves room in all three lists, so that `wait` needs no memory.
void PollBackend::make_room(std::size_t watches) {
  polled_.reserve(watches + 1);
  waiting_.reserve(watches);
  watches_.reserve(watches);
}

Result<> PollBackend::watch(FdWatch& watch) {
  if (watches_.size() == watches_.capacity()) make_room(2 * watches_.capacity());
  watch.slot = static_cast<std::uint32_t>(watches_.size());
  watches_.push_back(&watch);
  return {};
}

void PollBackend::unwatch(FdWatch& watch) {
  ESC_CHECK(watches_[watch.slot] == &watch);
  watches_[watch.slot] = watches_.back();
  watches_[watch.slot]->slot = watch.slot;
  watches_.pop_back();
}

}  // namespace escapement
