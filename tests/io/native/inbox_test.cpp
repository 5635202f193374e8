// Values from other threads into a loop. Also run under ThreadSanitizer.

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/inbox.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/loops.h"

using namespace escapement;

namespace {

// Counts the turns of a loop in which something ran.
class Turns final : public TurnWatcher {
 public:
  void turn_ended(const Turn&) override { ++count; }
  int count = 0;
};

}  // namespace

TEST_CASE("inbox: values of many threads arrive, each thread's in its order; the last sender closes it") {
  std::unique_ptr<Loop> loop = test::make_loop(ESC_EACH_BACKEND());
  constexpr int each = 2000;
  Inbox<std::pair<int, int>> inbox(16);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([sender = inbox.sender(), thread] {
      for (int i = 0; i < each; ++i) {
        if (!sender.send(std::pair<int, int>(thread, i))) return;
      }
    });
  }
  std::vector<int> next(3, 0);
  Result<> ended = loop->run([&]() -> Task<> {
    for (;;) {
      std::optional<std::pair<int, int>> value = co_await inbox.receive();
      if (!value) co_return;
      CHECK(next[static_cast<std::size_t>(value->first)]++ == value->second);
      CHECK(inbox.size() <= 16);
    }
  });
  for (std::thread& thread : threads) thread.join();
  CHECK(ended);
  CHECK(next == std::vector<int>(3, each));
}

TEST_CASE("inbox: a full one refuses, or waits as long as it is told; the value stays with the caller") {
  Inbox<std::unique_ptr<int>> inbox(1);
  Inbox<std::unique_ptr<int>>::Sender sender = inbox.sender();
  CHECK(sender.try_send(std::make_unique<int>(1)) == Sent::sent);
  auto second = std::make_unique<int>(2);
  CHECK(sender.try_send(std::move(second)) == Sent::full);
  REQUIRE(second);
  CHECK(sender.send_within(1ms, std::move(second)) == Sent::full);
  CHECK(sender.send_within(0s, std::move(second)) == Sent::full);
  REQUIRE(second);
  CHECK(inbox.size() == 1);
  std::optional<std::unique_ptr<int>> first = inbox.try_receive();
  REQUIRE(first);
  CHECK(**first == 1);
  CHECK(sender.send_within(1ms, std::move(second)) == Sent::sent);
  CHECK_FALSE(second);
  inbox.close();
  auto third = std::make_unique<int>(3);
  CHECK(sender.try_send(std::move(third)) == Sent::closed);
  CHECK(sender.send_within(1h, std::move(third)) == Sent::closed);
  CHECK_FALSE(sender.send(std::move(third)));
  CHECK(third);
  CHECK(inbox.try_receive());
  CHECK_FALSE(inbox.try_receive());
}

TEST_CASE("inbox: closing ends the threads that wait for room; what was sent is still received") {
  Loop loop;
  auto inbox = std::make_unique<Inbox<int>>(2);
  std::latch full(1);
  std::atomic<int> sent{0};
  std::thread other([sender = inbox->sender(), &full, &sent] {
    for (int i = 0; sender.try_send(i) == Sent::sent; ++i) ++sent;
    full.count_down();
    if (sender.send(7)) sent = 100;
  });
  full.wait();
  inbox->close();
  other.join();
  CHECK(sent == 2);
  Result<> ended = loop.run([&inbox]() -> Task<> {
    std::optional<int> first = co_await inbox->receive();
    CHECK(first == 0);
    std::optional<int> second = co_await inbox->receive();
    CHECK(second == 1);
    std::optional<int> end = co_await inbox->receive();
    CHECK_FALSE(end);
    std::optional<int> again = co_await inbox->receive();
    CHECK_FALSE(again);
  });
  CHECK(ended);
}

TEST_CASE("inbox: a sender outlives it; values that nobody received are destroyed with it") {
  auto witness = std::make_shared<int>(0);
  auto inbox = std::make_unique<Inbox<std::shared_ptr<int>>>(4);
  Inbox<std::shared_ptr<int>>::Sender sender = inbox->sender();
  Inbox<std::shared_ptr<int>>::Sender copy = sender;
  CHECK(copy.try_send(witness) == Sent::sent);
  CHECK(sender.send(witness));
  CHECK(witness.use_count() == 3);
  inbox.reset();
  CHECK(witness.use_count() == 1);
  CHECK_FALSE(sender.send(witness));
  CHECK(copy.try_send(witness) == Sent::closed);
  copy = std::move(sender);
  CHECK(copy.try_send(witness) == Sent::closed);
}

TEST_CASE("inbox: closing it, or the end of its last sender, wakes the receiver") {
  Loop loop;
  for (const bool by_sender : {false, true}) {
    Inbox<int> inbox(1);
    std::optional<Inbox<int>::Sender> sender = inbox.sender();
    Result<> ended = loop.run([&]() -> Task<> {
      Scope scope(co_await this_reactor);
      JoinHandle<std::optional<int>> received = scope.spawn_joinable(inbox.receive());
      co_await yield();
      CHECK_FALSE(received.finished());
      if (by_sender) {
        std::thread other([&sender] { sender.reset(); });
        other.join();
      } else {
        inbox.close();
      }
      std::optional<int> end = co_await std::move(received).join();
      CHECK_FALSE(end);
    });
    CHECK(ended);
  }
}

TEST_CASE("inbox: a burst wakes the loop once") {
  Loop loop;
  Turns turns;
  Inbox<int> inbox(1000);
  int sum = 0;
  Result<> ended = loop.run([&]() -> Task<> {
    Scope scope(co_await this_reactor);
    scope.spawn([&]() -> Task<> {
      for (int i = 0; i < 31; ++i) {
        std::optional<int> value = co_await inbox.receive();
        sum += *value;
      }
    });
    co_await yield();
    loop.reactor().watch_turns(&turns);
    std::thread other([sender = inbox.sender()] {
      for (int i = 0; i < 31; ++i) {
        if (sender.try_send(1) != Sent::sent) return;
      }
    });
    other.join();
    co_await scope.join();
    loop.reactor().watch_turns(nullptr);
  });
  CHECK(ended);
  CHECK(sum == 31);
  CHECK(turns.count <= 2);
}

TEST_CASE("inbox: cancelling a receive loses nothing, whether it was woken or not") {
  Loop loop;
  Inbox<int> inbox(10);
  Inbox<int>::Sender sender = inbox.sender();
  Result<> ended = loop.run([&]() -> Task<> {
    Result<std::optional<int>> late = co_await with_timeout(0s, inbox.receive()).result();
    CHECK((!late && late.error() == Errc::timed_out));
    Scope scope(co_await this_reactor);
    JoinHandle<std::optional<int>> woken = scope.spawn_joinable(inbox.receive());
    co_await yield();
    CHECK(sender.try_send(1) == Sent::sent);
    woken.cancel();  // the wake-up is on its way
    JoinHandle<std::optional<int>> first = scope.spawn_joinable(inbox.receive());
    std::optional<int> one = co_await std::move(first).join();
    CHECK(one == 1);
    JoinHandle<std::optional<int>> second = scope.spawn_joinable(inbox.receive());
    co_await yield();
    CHECK(sender.try_send(2) == Sent::sent);
    std::optional<int> two = co_await std::move(second).join();
    CHECK(two == 2);
  });
  CHECK(ended);
}

TEST_CASE("inbox: a receiver that never waits lets others run") {
  Loop loop;
  Inbox<int> inbox(1000);
  Inbox<int>::Sender sender = inbox.sender();
  for (int i = 0; i < 200; ++i) CHECK(sender.try_send(i) == Sent::sent);
  Result<> ended = loop.run([&]() -> Task<> {
    Scope scope(co_await this_reactor);
    int turns = 0;
    scope.spawn([&turns]() -> Task<> {
      for (; turns < 100; ++turns) co_await yield();
    });
    for (int i = 0; i < 200; ++i) {
      std::optional<int> value = co_await inbox.receive();
      CHECK(value == i);
    }
    CHECK(turns >= 5);
    scope.cancel();
  });
  CHECK(ended);
}

TEST_CASE("inbox: the loop that received is gone; another one goes on") {
  Inbox<int> inbox(10);
  Inbox<int>::Sender sender = inbox.sender();
  {
    Loop loop;
    CHECK(loop.run([&]() -> Task<> {
      Scope scope(co_await this_reactor);
      scope.spawn([&inbox]() -> Task<> { co_await inbox.receive(); });
      co_await yield();
    }));
  }
  CHECK(sender.try_send(1) == Sent::sent);
  Loop loop;
  Result<std::optional<int>> value = loop.run(inbox.receive());
  REQUIRE(value);
  CHECK(*value == 1);
}

TEST_CASE("inbox: threads that send while it ends") {
  for (int round = 0; round < 20; ++round) {
    auto inbox = std::make_unique<Inbox<std::shared_ptr<int>>>(3);
    auto witness = std::make_shared<int>(0);
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([sender = inbox->sender(), witness] {
        while (sender.send(witness)) {
        }
      });
    }
    Loop loop;
    CHECK(loop.run([&inbox]() -> Task<> {
      for (int i = 0; i < 50; ++i) {
        std::optional<std::shared_ptr<int>> value = co_await inbox->receive();
        CHECK(value);
      }
    }));
    inbox.reset();
    for (std::thread& thread : threads) thread.join();
    CHECK(witness.use_count() == 1);
  }
}
