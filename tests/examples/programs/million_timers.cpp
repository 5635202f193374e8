// million_timers [COUNT]: so many tasks sleep for up to two seconds each; prints how late they woke up.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

struct Lateness {
  std::vector<Duration> all;
  int early = 0;
};

Task<> sleep_and_note(Instant deadline, Lateness& lateness) {
  co_await sleep_until(deadline);
  Reactor& reactor = co_await this_reactor;
  const Duration late = reactor.precise_now() - deadline;
  lateness.early += late < Duration() ? 1 : 0;
  lateness.all.push_back(late);
}

Task<> run(std::size_t count, Lateness& lateness) {
  Reactor& reactor = co_await this_reactor;
  lateness.all.reserve(count);
  const Instant began = reactor.precise_now() + Duration(3s);  // spawning comes first
  Scope scope(reactor);
  for (std::size_t i = 0; i < count; ++i) {
    const auto length = static_cast<std::int64_t>(reactor.random().up_to(2'000'000'000));
    scope.spawn(sleep_and_note(began + Duration::nanoseconds(length), lateness));
  }
  co_await scope.join();
}

}  // namespace

int main(int arguments_count, char** arguments) {
  const std::size_t count = arguments_count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 1'000'000;
  if (count == 0) return std::fprintf(stderr, "usage: million_timers [COUNT]\n"), 2;
  Loop loop;
  Lateness lateness;
  if (!loop.run(run(count, lateness))) return 1;
  std::sort(lateness.all.begin(), lateness.all.end());
  const auto at = [&](double share) {
    return lateness.all[static_cast<std::size_t>(share * static_cast<double>(count - 1))].milliseconds();
  };
  std::printf("%zu timers, %d early; late by %.3f ms in the median, %.3f ms at p99, %.3f ms at most\n", count,
              lateness.early, at(0.5), at(0.99), at(1.0));
  return lateness.early == 0 ? 0 : 1;
}
