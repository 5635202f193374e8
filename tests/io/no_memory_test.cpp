// The n-th allocation fails, for every n, and those that follow: in a wheel, in loops, in threads. Nothing
// fires twice, early or never, nothing hangs, and what cannot go on ends with an error.

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/native/loop_group.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/wheel.h>

#include "support/failing_calls.h"

using namespace escapement;
using test::Call;
using test::FailingCall;

namespace {

class Fired final : public Runnable {
 public:
  void run() override {}
  TimerEntry entry;
  Instant deadline;
  int times = 0;
};

// Deadlines for every level, many of them equal or near each other.
std::vector<Duration> lengths() {
  std::vector<Duration> all;
  std::uint32_t random = 1;
  for (int i = 0; i < 400; ++i) {
    random = random * 1664525 + 1013904223;
    all.push_back(Duration::nanoseconds(std::int64_t{random} << (i % 14)));
  }
  return all;
}

// Arms all, moves some, advances until nothing is left. `fails`: the allocation from which on, and how many,
// fail.
void play(long works, long times, long& failed) {
  const std::vector<Duration> all = lengths();
  std::vector<Fired> fired(all.size());
  List<Runnable> due;
  TimerWheel wheel;
  Instant now;
  std::size_t armed = 0;
  {
    FailingCall call(Call::allocate, 0, times, works);
    for (std::size_t i = 0; i < all.size(); ++i) {
      fired[i].deadline = now + all[i];
      try {
        fired[i].entry.arm(wheel, fired[i].deadline, fired[i]);
        if (i % 5 == 0) fired[i].entry.arm(wheel, fired[i].deadline = fired[i].deadline + 1s, fired[i]);
        ++armed;
      } catch (const std::bad_alloc&) {
        fired[i].deadline = Instant::never();
      }
      if (fired[i].entry.armed() != (fired[i].deadline != Instant::never()))
        FAIL("armed is not what arm said");
    }
    failed += call.count();
  }
  std::size_t count = 0;
  Instant last;
  // The failing ones come again while time passes.
  for (long round = 0; count < armed; ++round) {
    REQUIRE(round < 100000);
    FailingCall call(Call::allocate, 0, round % 3 == 0 ? 0 : times, works);
    try {
      now = std::max(now, wheel.next());
      wheel.advance(now, due);
    } catch (const std::bad_alloc&) {
    }
    failed += call.count();
    while (Runnable* one = due.pop_front()) {
      Fired& it = static_cast<Fired&>(*one);
      ++count;
      if (++it.times != 1 || it.deadline > now || it.deadline < last) FAIL("twice, early, or out of order");
      last = it.deadline;
    }
  }
  CHECK(wheel.next() == Instant::never());
  CHECK(wheel.size() == 0);
  wheel.validate();
}

}  // namespace

TEST_CASE("no memory: a wheel loses no entry, and fires each once, in order") {
  long failed = 0;
  for (const long times : {1L, 2L, 50L}) {
    for (long works = 0; works < 60; ++works) play(works, times, failed);
  }
  CHECK(failed > 100);
}

TEST_CASE(
    "no memory: a loop that cannot move its timers on ends its run with an error; not for one failure") {
  auto sleep_for_long = []() -> Task<> { co_await sleep(200ms); };  // on a higher level
  for (const long times : {1L, LONG_MAX}) {
    Loop loop;
    Scope scope(loop.reactor());
    for (int i = 0; i < 100; ++i) scope.spawn(sleep_for_long());
    Task<> joined = scope.join();
    (void)loop.step();
    Result<> ended;
    long failed = 0;
    {
      FailingCall call(Call::allocate, 0, times);
      ended = loop.run(std::move(joined));
      failed = call.count();
    }
    CHECK(failed > 0);
    CHECK(static_cast<bool>(ended) == (times == 1));
    if (!ended) CHECK(ended.error() == Errc::overloaded);
  }
}

TEST_CASE("no memory: threads and their loops; every allocation in turn, and all from there on") {
  for (const long times : {1L, LONG_MAX}) {
    long works = 0;
    for (bool failed = true; failed; ++works) {
      FailingCall call(Call::allocate, 0, times, works);
      Result<std::unique_ptr<LoopGroup>> threads = LoopGroup::make(2, {});
      if (threads) {
        const std::function<Task<>(Loop&, std::size_t)> body = [](Loop&, std::size_t) -> Task<> {
          co_await sleep(100us);
        };
        Result<> ended = (*threads)->run(body);
        if (!ended) CHECK(ended.error() == Errc::overloaded);
      } else {
        CHECK(threads.error() == Errc::overloaded);
      }
      failed = call.count() > 0;
      REQUIRE(works < 1000);
    }
  }
}

TEST_CASE("no memory: a task is cancelled all the same, by its handle or with its scope") {
  const bool by_handle = GENERATE(true, false);
  Loop loop;
  Scope scope(loop.reactor());
  auto never_ends = []() -> Task<int> {
    co_await sleep(1h);
    co_return 1;
  };
  JoinHandle<int> handle = scope.spawn_joinable(never_ends());
  (void)loop.step();
  (void)loop.step();
  CHECK_FALSE(handle.finished());
  long failed = 0;
  {
    FailingCall call(Call::allocate, 0);
    by_handle ? handle.cancel() : scope.cancel();
    failed = call.count();
  }
  CHECK(failed == 0);
  CHECK(handle.finished());
  const Result<int> outcome = loop.run(std::move(handle).join());
  CHECK(outcome.error() == Errc::cancelled);
}
