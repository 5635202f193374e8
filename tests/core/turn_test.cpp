// The bounds of a turn: beside tasks that compute and yield, or wake each other, events
// and timers wait no longer than core/reactor.h says.

#include <algorithm>
#include <memory>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

Task<> compute_and_yield(Sim& sim, Duration length, bool by_sleeping) {
  for (;;) {
    sim.backend().freeze(length);
    if (by_sleeping) {
      co_await sleep(Duration());
    } else {
      co_await yield();
    }
  }
}

// The longest time by which one of `count` sleeps was late.
Task<> sleep_often(Sim& sim, Duration length, int count, Duration& late) {
  for (int i = 0; i < count; ++i) {
    const Instant before = sim.backend().now();
    co_await sleep(length);
    late = std::max(late, sim.backend().now() - before - length);
  }
}

// The other end of a connection answers each byte; the longest time that took.
Task<> echo(Stream& stream) {
  std::vector<std::byte> room(16);
  for (;;) {
    const std::size_t count = co_await stream.read(room);
    if (count == 0) co_return;
    co_await stream.write(Bytes(room).first(count));
  }
}
Task<> ask_often(Sim& sim, Stream& stream, int count, Duration& longest) {
  std::vector<std::byte> room(16);
  for (int i = 0; i < count; ++i) {
    const Instant before = sim.backend().now();
    co_await stream.write(Bytes(room).first(1));
    const std::size_t got = co_await stream.read(room);
    CHECK(got == 1);
    longest = std::max(longest, sim.backend().now() - before);
  }
}

}  // namespace

TEST_CASE("turn: a timer is late by a share and one computation, however many tasks compute and yield") {
  for (const int computing : {1, 2, 20, 300}) {
    for (const bool by_sleeping : {false, true}) {
      Sim sim;
      Scope scope(sim.reactor());
      for (int i = 0; i < computing; ++i) scope.spawn(compute_and_yield(sim, 1ms, by_sleeping));
      CHECK(sim.run(sleep_often(sim, Duration(), 3, *std::make_unique<Duration>())));  // they have begun
      Duration late;
      CHECK(sim.run(sleep_often(sim, 5ms, 50, late)));
      CHECK(late <= Reactor::share + 1ms + 1ms);
    }
  }
}

TEST_CASE("turn: another client's answer takes a few computations, however many tasks compute and yield") {
  for (const int computing : {1, 20}) {
    Sim sim;
    auto [client, server] = pipe();
    Scope scope(sim.reactor());
    for (int i = 0; i < computing; ++i) scope.spawn(compute_and_yield(sim, 1ms, false));
    scope.spawn(echo(*server));
    Duration longest;
    CHECK(sim.run(ask_often(sim, *client, 3, longest)));
    longest = Duration();
    CHECK(sim.run(ask_often(sim, *client, 50, longest)));
    CHECK(longest <= 4 * (Reactor::share + 1ms));  // two turns of each side
    scope.cancel();
  }
}

TEST_CASE("turn: tasks that wake each other let timers and events run in between") {
  Sim sim;
  Event ping, pong;
  auto play = [](Sim& sim, Event& mine, Event& other) -> Task<> {
    for (;;) {
      co_await mine.wait();
      mine.reset();
      sim.backend().freeze(1ms);
      other.set();
    }
  };
  Scope scope(sim.reactor());
  scope.spawn(play(sim, ping, pong));
  scope.spawn(play(sim, pong, ping));
  ping.set();
  Duration late;
  CHECK(sim.run(sleep_often(sim, 1ms, 50, late)));
  CHECK(late <= 2ms);
}

TEST_CASE("turn: many things that take long are looked at after each once that shows; none starves another") {
  Sim sim;
  class Slow final : public Runnable {
   public:
    Slow(Sim& sim, int& runs) : sim_(sim), runs_(runs) {}
    void run() override {
      ++runs_;
      sim_.backend().freeze(1ms);
      sim_.reactor().ready(*this);
    }

   private:
    Sim& sim_;
    int& runs_;
  };
  int runs = 0;
  std::vector<std::unique_ptr<Slow>> slow;
  for (int i = 0; i < 100; ++i) {
    slow.push_back(std::make_unique<Slow>(sim, runs));
    sim.reactor().ready(*slow.back());
  }
  Duration late;
  CHECK(sim.run(sleep_often(sim, 1ms, 20, late)));
  CHECK(late <= 33ms);
  late = Duration();
  CHECK(sim.run(sleep_often(sim, 1ms, 20, late)));
  CHECK(late <= 2ms);
  int yields = 0;
  auto count = [](int& yields) -> Task<> {
    for (; yields < 20; ++yields) co_await yield();
  };
  runs = 0;
  CHECK(sim.run(count(yields)));
  CHECK(runs <= 25);
}

TEST_CASE("turn: posted functions are bounded too, and keep their order") {
  Sim sim;
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    sim.reactor().post([&sim, &order, i] {
      order.push_back(i);
      sim.backend().freeze(1ms);
      if (i == 10) sim.reactor().post([&order] { order.push_back(1000); });
    });
  }
  Duration late;
  CHECK(sim.run(sleep_often(sim, 1ms, 20, late)));
  CHECK(late <= 34ms);
  late = Duration();
  CHECK(sim.run(sleep_often(sim, 1ms, 20, late)));
  CHECK(late <= 2ms);
  sim.settle();
  CHECK(order.size() == 1001);
  CHECK(std::is_sorted(order.begin(), order.end()));
}
