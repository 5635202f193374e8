// Measures a hand-off between two reactors costs (Reactor::post), beside the same between two bare threads:
// there and back with nothing else to do, which is two wake-ups, and one way as fast as it goes.
// tools/bench_http
// --post runs it.

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <thread>

#include <escapement/io/native/loop_group.h>

using namespace escapement;

namespace {

constexpr int round_trips = 10'000;
constexpr int one_way = 300'000;

double nanoseconds_each(int count, const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
  return took.count() / count;
}

// Two threads that block in read(2), and wake each other.
double bare_round_trip() {
  const int there = ::eventfd(0, EFD_CLOEXEC);
  const int back = ::eventfd(0, EFD_CLOEXEC);
  const auto pass = [](int from, int to) {
    std::uint64_t count = 0;
    const bool passed = ::read(from, &count, sizeof count) == sizeof count &&
                        ::write(to, &count, sizeof count) == sizeof count;
    if (!passed) std::abort();
  };
  std::thread other([&] {
    for (int i = 0; i < round_trips; ++i) pass(there, back);
  });
  const double each = nanoseconds_each(round_trips, [&] {
    const std::uint64_t one = 1;
    if (::write(there, &one, sizeof one) != sizeof one) std::abort();
    for (int i = 1; i < round_trips; ++i) pass(back, there);
    std::uint64_t last = 0;
    if (::read(back, &last, sizeof last) != sizeof last) std::abort();
  });
  other.join();
  ::close(there);
  ::close(back);
  return each;
}

// Runs `begin` on the first of two reactors; over when `done` is set there.
void on_two_reactors(const std::function<void(Reactor& first, Reactor& second, Event& done)>& begin) {
  std::unique_ptr<LoopGroup> threads = *LoopGroup::make(2, LoopOptions());
  Event done;
  Result<> ended = threads->run([&](Loop&, std::size_t index) -> Task<> {
    if (index != 0) co_return;
    begin(threads->loop(0).reactor(), threads->loop(1).reactor(), done);
    co_await done.wait();
  });
  ESC_CHECK(ended);
}

struct Ball {
  Reactor& first;
  Reactor& second;
  Event& done;
  int left = round_trips;

  void there() {
    if (left-- == 0) return done.set();
    second.post([this] { first.post([this] { there(); }); });
  }
};

double round_trip() {
  return nanoseconds_each(round_trips, [] {
    std::unique_ptr<Ball> ball;
    on_two_reactors([&ball](Reactor& first, Reactor& second, Event& done) {
      ball = std::make_unique<Ball>(Ball{first, second, done});
      ball->there();
    });
  });
}

double post_one_way() {
  return nanoseconds_each(one_way, [] {
    int arrived = 0;
    on_two_reactors([&arrived](Reactor& first, Reactor& second, Event& done) {
      for (int i = 0; i < one_way; ++i) {
        second.post([&] {
          if (++arrived == one_way) first.post([&] { done.set(); });
        });
      }
    });
  });
}

}  // namespace

int main() {
  double best[3] = {1e18, 1e18, 1e18};  // of five: what the machine does beside it only adds
  for (int round = 0; round < 5; ++round) {
    best[0] = std::min(best[0], bare_round_trip());
    best[1] = std::min(best[1], round_trip());
    best[2] = std::min(best[2], post_one_way());
  }
  std::printf("{\"bare_round_trip_ns\": %.0f, \"round_trip_ns\": %.0f, \"one_way_ns\": %.1f}\n", best[0],
              best[1], best[2]);
}
