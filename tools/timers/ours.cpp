// Our backends, and the options that make them more precise.

#include <cerrno>

#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/epoll_backend.h>
#include <escapement/io/native/poll_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/wheel.h>

#include "tools/timers/contender.h"
#include "tools/timers/needed.h"

namespace escapement::lateness {

namespace {

Task<Duration> measured(Duration length) {
  const Instant deadline = posix::monotonic_now() + length;
  co_await sleep(length);
  co_return posix::monotonic_now() - deadline;
}

Task<> repeated(Duration length, int& left, Random& random, std::vector<Duration>& late) {
  while (left > 0) {
    --left;
    const Duration more = Duration::nanoseconds(
        static_cast<std::int64_t>(random.up_to(static_cast<std::uint64_t>(length.count() / 8))));
    Duration sample = co_await measured(length + more);
    late.push_back(sample);
  }
}

Task<> side_by_side(Duration length, int count, int at_once, std::vector<Duration>& late) {
  Reactor& reactor = co_await this_reactor;
  Random random(reactor.random().next());
  Scope scope(reactor);
  for (int i = 0; i < at_once; ++i) scope.spawn(repeated(length, count, random, late));
  co_await scope.join();
}

class Ours final : public Sleeper {
 public:
  explicit Ours(std::unique_ptr<FdBackend> backend)
      : backend_(std::move(backend)), wheel_(backend_->now()), reactor_(*backend_, wheel_) {}

  Duration sleep(Duration length) override { return needed(reactor_.run(measured(length))); }

  bool many(Duration length, int count, int at_once, std::vector<Duration>& late) override {
    late.reserve(late.size() + static_cast<std::size_t>(count));
    return static_cast<bool>(reactor_.run(side_by_side(length, count, at_once, late)));
  }

 private:
  std::unique_ptr<FdBackend> backend_;
  TimerWheel wheel_;
  Reactor reactor_;
};

int refused(int, epoll_event*, int, const timespec*) {
  errno = ENOSYS;
  return -1;
}

void add(std::vector<Contender>& contenders, std::string name, std::string what,
         std::function<std::unique_ptr<FdBackend>()> make) {
  contenders.push_back({std::move(name), std::move(what), Kind::ours,
                        [make = std::move(make)] { return std::make_unique<Ours>(make()); }});
}

}  // namespace

void add_ours(std::vector<Contender>& contenders, Precision precision) {
  const Precision warm{{}, precision.warm_up, {}};
  const Precision spin{{}, precision.warm_up, precision.spin};
  add(contenders, "epoll", "EpollBackend as servers use it",
      [] { return needed(EpollBackend::make(EpollOptions{Precision()})); });
  add(contenders, "epoll, warm-up", "EpollBackend with Precision::warm_up",
      [=] { return needed(EpollBackend::make(EpollOptions{warm})); });
  add(contenders, "epoll, spin", "EpollBackend with Precision::spin, too",
      [=] { return needed(EpollBackend::make(EpollOptions{spin})); });
  add(contenders, "epoll, old kernel", "EpollBackend where epoll_pwait2 is refused",
      [] { return needed(EpollBackend::make(EpollOptions{Precision(), refused})); });
  add(contenders, "poll", "PollBackend as servers use it",
      [] { return needed(PollBackend::make(PollOptions{Precision()})); });
  add(contenders, "poll, warm-up", "PollBackend with Precision::warm_up",
      [=] { return needed(PollBackend::make(PollOptions{warm})); });
  add(contenders, "poll, spin", "PollBackend with Precision::spin, too",
      [=] { return needed(PollBackend::make(PollOptions{spin})); });
}

}  // namespace escapement::lateness
