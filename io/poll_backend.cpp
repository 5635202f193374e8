#include <escapement/io/poll_backend.h>

#include <poll.h>

#include <algorithm>

#include <escapement/core/check.h>

namespace escapement {

bool PollBackend::wait(Reactor& reactor, Instant until) {
  std::vector<pollfd> polled;
  std::vector<FdWatch*> waiting;
  polled.push_back({wake_.fd(), POLLIN, 0});
  for (FdWatch* watch : watches_) {
    if (watch->readable == nullptr && watch->writable == nullptr) continue;
    const bool told = watch->news_only && watch->may_read;  // poll would say it again at once
    const int interest =
        (watch->readable != nullptr && !told ? POLLIN : 0) | (watch->writable != nullptr ? POLLOUT : 0);
    polled.push_back({watch->fd, static_cast<short>(interest), 0});
    waiting.push_back(watch);
  }
  const std::int64_t left = std::max<std::int64_t>(0, (until - now()).count());
  timespec timeout{};
  timeout.tv_sec = left / 1'000'000'000;
  timeout.tv_nsec = left % 1'000'000'000;
  const int count =
      ::ppoll(polled.data(), polled.size(), until == Instant::never() ? nullptr : &timeout, nullptr);
  if (count <= 0) return true;
  if ((polled[0].revents & POLLIN) != 0) wake_.clear();
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    const int events = polled[i + 1].revents;
    const bool broken = (events & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    FdWatch& watch = *waiting[i];
    if (broken || (events & POLLIN) != 0) {
      watch.may_read = true;
      watch.broken = watch.broken || broken;
      if (watch.readable != nullptr) reactor.ready(*std::exchange(watch.readable, nullptr));
    }
    if ((broken || (events & POLLOUT) != 0) && watch.writable != nullptr) {
      reactor.ready(*std::exchange(watch.writable, nullptr));
    }
  }
  return true;
}

Result<> PollBackend::watch(FdWatch& watch) {
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
