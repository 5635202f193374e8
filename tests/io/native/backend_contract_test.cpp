// One body for every native backend: what a reactor may rely on. Real time, so lower bounds only.

#include <poll.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/native/epoll_backend.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>

#include "support/backends.h"
#include "support/loops.h"

using namespace escapement;
using test::make_loop;
using Clock = std::chrono::steady_clock;

namespace {}  // namespace

TEST_CASE("backend: sleeps are never early", "[threads]") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  for (int i = 0; i < 200; ++i) {
    const Duration length = Duration(100us) * (1 + i % 30);
    const Clock::time_point began = Clock::now();
    REQUIRE(loop->run(sleep(length)));
    REQUIRE(Duration(Clock::now() - began) >= length);
  }
}

TEST_CASE("backend: 1,000 times sleep(100ms), none early", "[threads]") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  Scope scope(loop->reactor());
  int done = 0;
  int early = 0;
  // Begun at all phases of a tick and of a millisecond, and overlapping: so it takes a second, not a hundred.
  auto trial = [](int number, int& done, int& early) -> Task<> {
    co_await sleep(Duration(1ms) * number + Duration(37us) * (number % 29));
    const Clock::time_point began = Clock::now();
    co_await sleep(100ms);
    if (Duration(Clock::now() - began) < Duration(100ms)) ++early;
    ++done;
  };
  for (int i = 0; i < 1'000; ++i) scope.spawn(trial(i, done, early));
  CHECK(loop->run(scope.join()));
  CHECK(done == 1'000);
  CHECK(early == 0);
}

TEST_CASE("backend: what other threads post runs, all of it, in order per thread", "[threads]") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  constexpr int threads = 4;
  constexpr int each = 2'000;
  int seen = 0;
  bool in_order = true;
  std::vector<int> last(threads, -1);
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        loop->reactor().post([&, t, i] {
          in_order = in_order && last[t] == i - 1;
          last[t] = i;
          ++seen;
        });
      }
    });
  }
  auto until_all = [&]() -> Task<> {
    while (seen < threads * each) co_await sleep(1ms);
  };
  REQUIRE(loop->run(until_all()));
  for (std::thread& poster : posters) poster.join();
  CHECK(in_order);
}

TEST_CASE("backend: a post wakes a reactor that sleeps for ever", "[threads]") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  Event event;
  auto waits = [&]() -> Task<> { co_await event.wait(); };
  std::thread poster([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    loop->reactor().post([&] { event.set(); });
  });
  CHECK(loop->run(waits()));
  poster.join();
}

TEST_CASE("backend: somebody else's loop drives it by descriptor and deadline") {
  std::unique_ptr<Loop> loop = make_loop("epoll");
  CHECK(loop->step() == Instant::never());
  Scope scope(loop->reactor());
  bool done = false;
  auto job = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", listener->port());
    std::unique_ptr<Stream> server = co_await listener->accept();
    co_await sleep(5ms);
    co_await client->write(as_bytes("x"));
    std::byte byte{};
    const std::size_t count = co_await server->read(MutableBytes(&byte, 1));
    done = count == 1;
  };
  scope.spawn(job());
  for (int i = 0; i < 1'000 && !done; ++i) {
    const Instant next = loop->step();
    const Duration left = next - loop->backend().now();
    pollfd watched{loop->pollable_fd(), POLLIN, 0};
    if (left > Duration())
      ::poll(&watched, 1, next == Instant::never() ? 100 : static_cast<int>(left.count() / 1'000'000 + 1));
  }
  CHECK(done);
  LoopOptions unknown;
  unknown.backend = "kqueue";
  CHECK(Loop::make(unknown).error() == Errc::invalid_argument);
}
