// A signal prints the tasks, and the watchdog reports a long turn with them.

#include <escapement/io/native/print_tasks.h>

#include <csignal>
#include <string>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/core/task_tree.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace named {

Task<> sleeper() { co_await sleep(1h); }

}  // namespace named

TEST_CASE("print_tasks_on: each signal prints the tasks, and the program goes on") {
  Loop loop;
  Scope scope(loop.reactor());
  std::vector<std::string> printed;
  scope.spawn(
      print_tasks_on(loop.backend(), SIGUSR1, [&](std::string_view text) { printed.emplace_back(text); }));
  scope.spawn(named::sleeper());
  REQUIRE(loop.run(sleep(1ms)));
  for (std::size_t count = 1; count <= 2; ++count) {
    ::raise(SIGUSR1);
    for (int i = 0; i < 1000 && printed.size() < count; ++i) REQUIRE(loop.run(sleep(1ms)));
    REQUIRE(printed.size() == count);
    const std::string& text = printed.back();
    CAPTURE(text);
    if (task_tree_built) {
      CHECK(text.find("named::sleeper") != text.npos);
      CHECK(text.find("print_tasks_test.cpp:") != text.npos);
      CHECK(text.find("timer") != text.npos);
    } else {
      CHECK(text.starts_with("no task tree"));
    }
  }
}

TEST_CASE("print_tasks_on: cancelling it gives the signal back") {
  struct sigaction before{};
  ::sigaction(SIGUSR2, nullptr, &before);
  Loop loop;
  {
    Scope scope(loop.reactor());
    scope.spawn(print_tasks_on(loop.backend(), SIGUSR2));
    REQUIRE(loop.run(sleep(1ms)));
  }
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  CHECK_FALSE(::sigismember(&blocked, SIGUSR2));
}
