// The pollers' sleeps: what is asked of the kernel, never early whatever the options, what is put back.
// Real time, so lower bounds, order, and counts.

#include <sys/epoll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/native/epoll_backend.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/poll_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/timers/sleep.h>

#include "support/system_calls.h"

using namespace escapement;

namespace {

// Stand-ins for epoll_pwait2. Plain functions, so what they note is here.
int calls = 0;
std::vector<Duration> asked;
Instant first_asked_at;

int no_such_call(int, epoll_event*, int, const timespec*) {
  ++calls;
  errno = ENOSYS;
  return -1;
}
int not_permitted(int, epoll_event*, int, const timespec*) {
  ++calls;
  errno = EPERM;
  return -1;
}
int noting(int epoll, epoll_event* events, int room, const timespec* timeout) {
  ++calls;
  if (asked.empty()) first_asked_at = posix::monotonic_now();
  asked.push_back(timeout == nullptr ? Duration::max()
                                     : Duration(std::chrono::seconds(timeout->tv_sec)) +
                                           Duration::nanoseconds(timeout->tv_nsec));
  return epoll_pwait2_of_the_kernel(epoll, events, room, timeout);
}
// Fires at the beginning of the kernel's window, as when the core was awake anyway.
int interrupted(int epoll, epoll_event* events, int room, const timespec* timeout) {
  if (timeout != nullptr && (timeout->tv_sec != 0 || timeout->tv_nsec != 0) && ++calls % 2 == 0) {
    errno = EINTR;
    return -1;
  }
  return epoll_pwait2_of_the_kernel(epoll, events, room, timeout);
}

// A backend with a wheel and a reactor.
struct Rig {
  explicit Rig(std::unique_ptr<FdBackend> b) : backend(std::move(b)) {}
  std::unique_ptr<FdBackend> backend;
  TimerWheel wheel{backend->now()};
  Reactor reactor{*backend, wheel};
};
std::unique_ptr<FdBackend> epoll(Precision precision, EpollWait pwait2 = epoll_pwait2_of_the_kernel) {
  return *EpollBackend::make(EpollOptions{precision, pwait2});
}
std::unique_ptr<FdBackend> poll(Precision precision) { return *PollBackend::make(PollOptions{precision}); }

struct Early {
  int samples = 0;
  int early = 0;
};

Task<> sleeper(int seed, Early& seen) {
  for (int i = 0; i < 6; ++i) {
    const Duration length = Duration(130us) * (1 + (seed * 7 + i * 13) % 90);
    const Instant deadline = posix::monotonic_now() + length;
    co_await sleep(length);
    ++seen.samples;
    if (posix::monotonic_now() < deadline) ++seen.early;
  }
}

Task<> sleepers(Early& seen) {
  Reactor& reactor = co_await this_reactor;
  Scope scope(reactor);
  for (int i = 0; i < 60; ++i) scope.spawn(sleeper(i, seen));
  co_await scope.join();
}

constexpr Precision plain;
constexpr Precision precise = Precision::precise();
constexpr Precision spinning{Duration(1ns), 200us, 150us};

}  // namespace

TEST_CASE("precision: what is asked of the kernel leaves room for the slack it adds") {
  const detail::SleepPlan plan(plain);
  constexpr Duration least = 5us;  // what waking up takes: each sleep ends so much earlier
  CHECK(plan.ask(-1s) == Duration());
  CHECK(plan.ask(Duration()) == Duration());
  CHECK(plan.ask(least + 1ns) == Duration(1ns));
  CHECK(plan.ask(least + 1ms) == Duration(1ms));  // 0.1 % of it is less than a microsecond
  CHECK(plan.ask(least + 1001ms) == Duration(1s));
  // 100 ms is the most that the kernel adds.
  CHECK(plan.ask(least + Duration(1h)) == Duration(1h) - Duration(100ms));
  CHECK(plan.ask(Duration::max()) == Duration::max() - least - Duration(100ms));
  for (std::int64_t left = 5'001; left < 1'000'000'000'000'000; left = left * 3 + 1) {
    const std::int64_t ask = plan.ask(Duration::nanoseconds(left)).count();
    const std::int64_t latest = 5'000 + ask + std::min<std::int64_t>(ask / 1000, 100'000'000);
    REQUIRE(ask > 0);
    REQUIRE(latest <= left + 1'000);  // not late by more than what is too little to matter
    REQUIRE(latest >= left - 1);      // and no sleep that the kernel must end early
  }
  CHECK(plan.ask(least) == Duration());
  CHECK(plan.ask(1ns) == Duration());
}

TEST_CASE("precision: warm_up and spin end the sleep before the deadline") {
  const detail::SleepPlan warm(Precision{{}, 200us, Duration()});
  CHECK(warm.ask(1005us) == Duration(800us));
  CHECK(warm.ask(405us) == Duration(400us));  // not more than twice as far away
  CHECK(warm.ask(205us) == Duration(200us));
  CHECK(warm.ask(6us) == Duration(1us));
  const detail::SleepPlan spin(Precision{{}, Duration(), 100us});
  CHECK(spin.ask(1ms) == Duration(900us));
  CHECK(spin.ask(101us) == Duration(1us));
  CHECK(spin.ask(100us) == Duration());
  const detail::SleepPlan both(Precision{{}, 200us, 100us});
  CHECK(both.ask(1ms) == Duration(700us));
  CHECK(both.ask(300us) == Duration(200us));
}

TEST_CASE("precision: bounds") {
  CHECK(check(plain));
  CHECK(check(precise));
  CHECK(check(Precision{{}, 10ms, 10ms}));
  CHECK_FALSE(check(Precision{Duration(), {}, {}}));
  CHECK_FALSE(check(Precision{Duration(2s), {}, {}}));
  CHECK_FALSE(check(Precision{{}, -1ns, {}}));
  CHECK_FALSE(check(Precision{{}, 11ms, {}}));
  CHECK_FALSE(check(Precision{{}, {}, -1ns}));
  LoopOptions options;
  options.precision.spin = 1s;
  CHECK(Loop::make(options).error() == Errc::invalid_argument);
}

TEST_CASE("precision: no timer is early on any backend with any option", "[threads]") {
  struct Variant {
    const char* name;
    std::function<std::unique_ptr<FdBackend>()> make;
  };
  const std::vector<Variant> variants = {
      {"epoll", [] { return epoll(plain); }},
      {"epoll, precise", [] { return epoll(precise); }},
      {"epoll, spinning", [] { return epoll(spinning); }},
      {"epoll without epoll_pwait2", [] { return epoll(plain, no_such_call); }},
      {"epoll without epoll_pwait2, spinning", [] { return epoll(spinning, no_such_call); }},
      {"epoll, interrupted", [] { return epoll(precise, interrupted); }},
      {"poll", [] { return poll(plain); }},
      {"poll, precise", [] { return poll(precise); }},
      {"poll, spinning", [] { return poll(spinning); }},
  };
  for (const Variant& variant : variants) {
    INFO(variant.name);
    Rig rig(variant.make());
    Early seen;
    REQUIRE(rig.reactor.run(sleepers(seen)));
    CHECK(seen.samples == 360);
    CHECK(seen.early == 0);
  }
}

TEST_CASE("precision: the thread's slack is set at the first wait and put back") {
  const Duration before = posix::timer_slack();
  {
    Rig rig(GENERATE(0, 1) == 0 ? epoll(plain) : poll(plain));
    REQUIRE(rig.reactor.run(sleep(1us)));
    CHECK(posix::timer_slack() == before);
  }
  {
    Rig rig(GENERATE(0, 1) == 0 ? epoll(precise) : poll(precise));
    CHECK(posix::timer_slack() == before);
    REQUIRE(rig.reactor.run(sleep(1us)));
    CHECK(posix::timer_slack() == Duration(1ns));
  }
  CHECK(posix::timer_slack() == before);
}

TEST_CASE("precision: a backend destroyed on another thread leaves that thread's slack alone", "[threads]") {
  auto rig = std::make_unique<Rig>(epoll(precise));
  const Duration before = posix::timer_slack();
  std::thread([&] { CHECK(rig->reactor.run(sleep(1us))); }).join();
  CHECK(posix::timer_slack() == before);
  posix::set_timer_slack(60us);
  rig.reset();
  CHECK(posix::timer_slack() == Duration(60us));
  posix::set_timer_slack(before);
}

TEST_CASE("precision: a kernel without epoll_pwait2, or a filter, is asked once and then left alone") {
  calls = 0;
  Rig rig(epoll(precise, GENERATE(no_such_call, not_permitted)));
  Duration best = Duration::max();
  Duration best_of_the_machine = Duration::max();
  for (int i = 0; i < 20; ++i) {
    const Instant began = posix::monotonic_now();
    REQUIRE(rig.reactor.run(sleep(1300us)));
    const Duration took = posix::monotonic_now() - began;
    REQUIRE(took >= Duration(1300us));
    best = std::min(best, took);
    std::this_thread::sleep_for(std::chrono::microseconds(1300));
    best_of_the_machine = std::min(best_of_the_machine, posix::monotonic_now() - began - took);
  }
  CHECK(best < best_of_the_machine + Duration(600us));  // not rounded up to milliseconds
  CHECK(calls == 1);
}

TEST_CASE("precision: events are delivered while it spins, and without epoll_pwait2", "[threads]") {
  Rig rig([] {
    switch (GENERATE(0, 1, 2, 3)) {
      case 0: return epoll(Precision{{}, {}, 10ms});
      case 1: return poll(Precision{{}, {}, 10ms});
      case 2: return epoll(Precision{{}, {}, 10ms}, no_such_call);
      default: return epoll(plain, no_such_call);
    }
  }());
  Instant posted_at;
  std::thread poster([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    rig.reactor.post([&] { posted_at = posix::monotonic_now(); });
  });
  Instant woke_at;
  auto naps = [&]() -> Task<> {
    for (int i = 0; i < 2'000 && posted_at == Instant(); ++i) co_await sleep(9ms);
    woke_at = posix::monotonic_now();
  };
  const Instant began = posix::monotonic_now();
  REQUIRE(rig.reactor.run(naps()));
  poster.join();
  CHECK(posted_at > began);
  CHECK(posted_at < woke_at);
}

TEST_CASE("precision: one far deadline is one long sleep, and a short one only with warm_up") {
  calls = 0;
  asked.clear();
  {
    constexpr Duration window = 300us;  // of a process that is niced; of others a fifth
    Rig rig(epoll(plain, noting));
    const Instant began = posix::monotonic_now();
    REQUIRE(rig.reactor.run(sleep(50ms)));
    REQUIRE(!asked.empty());
    CHECK(asked.front() <= Duration(50ms) - Duration(49us));
    CHECK(asked.front() > began + Duration(50ms) - first_asked_at - window);
    for (std::size_t i = 1; i < asked.size(); ++i) CHECK(asked[i] <= window);  // fired in it
  }
  asked.clear();
  Rig rig(epoll(Precision{{}, 1ms, {}}, noting));
  REQUIRE(rig.reactor.run(sleep(50ms)));
  REQUIRE(asked.size() >= 1);
  CHECK(asked.front() <= Duration(49ms));
  for (std::size_t i = 1; i < asked.size(); ++i) CHECK(asked[i] <= Duration(2ms));
}

TEST_CASE("precision: a turn that does not sleep makes one system call, whatever is armed") {
  constexpr long turns = 500;
  const int which = GENERATE(0, 1, 2, 3);
  const auto counts = test::count_system_calls([&](auto mark) {
    Rig rig(which < 2 ? epoll(which == 0 ? plain : spinning) : poll(which == 2 ? plain : spinning));
    TimerEntry far;
    struct Nothing final : Runnable {
      void run() override {}
    } nothing;
    far.arm(rig.wheel, rig.reactor.now() + Duration(30s), nothing);
    rig.reactor.step();
    mark();
    for (long i = 0; i < turns; ++i) rig.reactor.step();
    mark();
  });
  if (!counts) SKIP("this system does not let a test trace its child");
  long others = 0;
  for (const auto& [number, count] : *counts) {
    if (number != SYS_epoll_pwait2 && number != SYS_ppoll && number != SYS_clock_gettime) others += count;
  }
  CHECK(others == 0);
  const long waits = which < 2 ? counts->at(SYS_epoll_pwait2) : counts->at(SYS_ppoll);
  CHECK(waits == turns);
}

TEST_CASE("precision: after the process was stopped, all that is due fires once and in order", "[threads]") {
  int results[2];
  REQUIRE(::pipe(results) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Rig rig(epoll(plain));
    std::vector<int> fired;
    auto one = [](std::vector<int>& fired, int i) -> Task<> {
      co_await sleep(Duration(10ms) * (20 - i));
      fired.push_back(20 - i);
    };
    auto all = [&]() -> Task<> {
      Scope scope(rig.reactor);
      for (int i = 0; i < 20; ++i) scope.spawn(one(fired, i));
      const char ready = 'r';
      if (::write(results[1], &ready, 1) != 1) ::_exit(1);
      co_await scope.join();
    };
    if (!rig.reactor.run(all())) ::_exit(1);
    const bool right = fired.size() == 20 && std::is_sorted(fired.begin(), fired.end());
    ::_exit(right ? 0 : 3);
  }
  char ready = 0;
  REQUIRE(::read(results[0], &ready, 1) == 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  ::kill(child, SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  ::kill(child, SIGCONT);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  ::close(results[0]);
  ::close(results[1]);
}
