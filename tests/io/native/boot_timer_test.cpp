// Timers on the clock that counts suspension. A machine cannot be suspended here: the tests show that the
// deadline is compared with that clock, and the rest is timerfd_create(2).

#include <escapement/io/native/boot_timer.h>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/failing_calls.h"
#include "support/loops.h"

using namespace escapement;
using test::make_loop;

TEST_CASE("boot timer: it reads the clock that counts suspension") {
  timespec before{};
  timespec after{};
  ::clock_gettime(CLOCK_BOOTTIME, &before);
  const BootInstant now = boot_now();
  ::clock_gettime(CLOCK_BOOTTIME, &after);
  const auto of = [](const timespec& time) {
    return BootInstant(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  };
  CHECK(now >= of(before));
  CHECK(now <= of(after));
  CHECK(now + 1s - now == 1s);
}

TEST_CASE("boot timer: it is never early, and one that has passed does not wait") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<BootTimer> timer = co_await BootTimer::make(loop->backend());
    for (const Duration length : {Duration(1ns), Duration(100us), Duration(3ms), Duration(20ms)}) {
      const BootInstant began = boot_now();
      co_await timer->sleep_until(began + length);
      CHECK(boot_now() - began >= length);
      co_await timer->sleep(length);
      CHECK(boot_now() - began >= 2 * length);
    }
    co_await timer->sleep_until(BootInstant(Duration()));
    co_await timer->sleep(Duration());
    co_await timer->sleep(Duration::min());
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("boot timer: cancelling frees it for another deadline, earlier or later") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<BootTimer> timer = co_await BootTimer::make(loop->backend());
    for (int i = 0; i < 3; ++i) {
      Result<> cancelled = co_await with_timeout(2ms, timer->sleep(1h)).result();
      CHECK(cancelled.error() == Errc::timed_out);
      co_await timer->sleep(1ms);
      cancelled = co_await with_timeout(2ms, timer->sleep(Duration::max())).result();
      CHECK(cancelled.error() == Errc::timed_out);
      const BootInstant began = boot_now();
      {
        Result<> short_one = co_await with_timeout(Duration(), timer->sleep(1ms)).result();
        CHECK(short_one.error() == Errc::timed_out);
      }
      co_await timer->sleep(5ms);
      CHECK(boot_now() - began >= 5ms);
    }
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("boot timer: one that goes off for nobody does not keep the loop awake") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<BootTimer> timer = co_await BootTimer::make(loop->backend());
    Result<> cancelled = co_await with_timeout(Duration(), timer->sleep(1ms)).result();
    CHECK(!cancelled);
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_THREAD, &before);
    co_await sleep(50ms);
    ::getrusage(RUSAGE_THREAD, &after);
    CHECK(after.ru_nvcsw - before.ru_nvcsw < 20);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("boot timer: several wait at once, each for its own") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    Scope scope(co_await this_reactor);
    std::string order;
    auto wait = [](Loop& loop, Duration length, char letter, std::string& order) -> Task<> {
      std::unique_ptr<BootTimer> timer = co_await BootTimer::make(loop.backend());
      co_await timer->sleep(length);
      order += letter;
    };
    scope.spawn(wait(*loop, 30ms, 'c', order));
    scope.spawn(wait(*loop, 1ms, 'a', order));
    scope.spawn(wait(*loop, 15ms, 'b', order));
    co_await scope.join();
    CHECK(order == "abc");
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("boot timer: without a descriptor it cannot be made, and says so") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  rlimit none = usual;
  none.rlim_cur = 0;
  ::setrlimit(RLIMIT_NOFILE, &none);
  Result<std::unique_ptr<BootTimer>> timer = BootTimer::make(loop->backend());
  ::setrlimit(RLIMIT_NOFILE, &usual);
  REQUIRE(!timer);
  CHECK(timer.error() == Errc::overloaded);
}

TEST_CASE("boot timer: one that cannot be watched is not made") {
  std::unique_ptr<Loop> loop = make_loop("epoll");
  test::FailingCall fault(test::Call::epoll_ctl_add, ENOSPC);
  CHECK(BootTimer::make(loop->backend()).error() == Errc::overloaded);
}
