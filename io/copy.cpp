#include <escapement/io/copy.h>

#include <string>
#include <tuple>
#include <variant>

namespace escapement {

Error detail::copied_too_much(std::uint64_t limit) {
  return Error(Errc::limit_exceeded, "a copy of more than " + std::to_string(limit) + " bytes");
}

namespace {

// When a byte was last moved.
class Activity {
 public:
  explicit Activity(Reactor& reactor) : reactor_(reactor), last_(reactor.precise_now()) {}
  void note() { last_ = reactor_.precise_now(); }
  Instant last() const { return last_; }

 private:
  Reactor& reactor_;
  Instant last_;
};

// Fails once nothing has moved for `idle`. Sleeps until the earliest instant at which that can be, so that a
// byte that moves costs no timer.
Task<> watch_idle(const Activity& activity, Duration idle) {
  Reactor& reactor = co_await this_reactor;
  for (;;) {
    const Instant until = activity.last() + idle;
    if (until <= reactor.precise_now()) break;
    co_await sleep_until(until);
  }
  const Duration elapsed = reactor.precise_now() - activity.last();
  co_await detail::timeout_error({TimeLimit::operation, "no byte in either direction"}, idle, elapsed);
}

Task<std::uint64_t> copy_direction(Stream& from, Stream& to, Activity& activity, std::size_t buffer) {
  CopyOptions options;
  options.buffer = buffer;
  options.shut_down = true;
  options.progress = [&activity](std::uint64_t) { activity.note(); };
  co_return co_await copy(from, to, std::move(options));
}

}  // namespace

Task<BothCopied> copy_both(Stream& first, Stream& second, Duration idle, std::size_t buffer) {
  using Counts = std::tuple<std::uint64_t, std::uint64_t>;
  Reactor& reactor = co_await this_reactor;
  Activity activity(reactor);
  Task<Counts> both =
      all(copy_direction(first, second, activity, buffer), copy_direction(second, first, activity, buffer));
  std::variant<Counts, std::monostate> ended = co_await select(std::move(both), watch_idle(activity, idle));
  const Counts counts = std::get<0>(ended);
  co_return BothCopied(std::get<0>(counts), std::get<1>(counts));
}

}  // namespace escapement
