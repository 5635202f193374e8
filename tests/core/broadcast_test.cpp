// Broadcast: each receiver gets each message, or is told how many it missed; nothing is copied or kept too
// long.

#include <escapement/core/broadcast.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/core/sequence.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/alive.h"
#include "support/enumerate.h"

using namespace escapement;

static_assert(Operation<Broadcast<std::unique_ptr<int>>::Receive>);
static_assert(AsyncSequence<Broadcast<std::string>::Receiver&>);

namespace {

using Lines = Broadcast<std::string>;

Task<> note_all(Lines& lines, std::string& log) {
  Lines::Receiver receiver(lines);
  while (std::optional<Lines::Message> line = co_await receiver.receive()) {
    if (line->missed() > 0) log += "-" + std::to_string(line->missed()) + " ";
    log += **line + " ";
  }
  log += "end";
}

}  // namespace

TEST_CASE("Broadcast: each receiver gets what is sent while it is there, and the end") {
  Sim sim;
  Lines lines(4);
  CHECK(lines.send("nobody") == 0);
  std::string first;
  std::string second;
  Scope scope(sim.reactor());
  scope.spawn(note_all(lines, first));
  sim.settle();
  CHECK(lines.send("1") == 1);
  scope.spawn(note_all(lines, second));
  sim.settle();
  CHECK(lines.send("2") == 2);
  CHECK(lines.send("3") == 2);
  CHECK(lines.size() == 2);
  CHECK(first == "1 ");  // nobody runs inside send
  lines.close();
  CHECK(lines.send("late") == 0);
  sim.settle();
  CHECK(first == "1 2 3 end");
  CHECK(second == "2 3 end");
  CHECK(lines.size() == 0);
  CHECK(lines.receivers() == 0);
}

TEST_CASE("Broadcast: a slow receiver misses the oldest messages and is told how many; others miss nothing") {
  Sim sim;
  Lines lines(3);
  std::string quick;
  Scope scope(sim.reactor());
  scope.spawn(note_all(lines, quick));
  sim.settle();
  Lines::Receiver slow(lines);
  for (int i = 0; i < 8; ++i) {
    lines.send(std::to_string(i));
    sim.settle();
  }
  CHECK(quick == "0 1 2 3 4 5 6 7 ");
  CHECK(slow.behind() == 8);
  CHECK(lines.size() == 3);
  std::optional<Lines::Message> oldest = slow.try_receive();
  REQUIRE(oldest);
  CHECK(**oldest == "5");
  CHECK((*oldest)->size() == 1);
  CHECK(oldest->missed() == 5);
  CHECK(slow.behind() == 2);
  std::optional<Lines::Message> next = slow.try_receive();
  CHECK(**next == "6");
  CHECK(next->missed() == 0);
  CHECK(lines.size() == 1);
}

TEST_CASE("Broadcast: a message is one object for all, freed when the last lets go") {
  int alive = 0;
  using Counted = Broadcast<std::unique_ptr<test::Alive>>;
  Counted messages(2);
  std::optional<Counted::Message> held;
  {
    Counted::Receiver one(messages);
    Counted::Receiver two(messages);
    messages.send(std::make_unique<test::Alive>(alive));
    CHECK(alive == 1);
    std::optional<Counted::Message> first = one.try_receive();
    std::optional<Counted::Message> second = two.try_receive();
    CHECK(&**first == &**second);
    CHECK(messages.size() == 0);
    first.reset();
    CHECK(alive == 1);
    held = *second;
    for (int i = 0; i < 5; ++i) messages.send(std::make_unique<test::Alive>(alive));
    CHECK(alive == 3);
  }
  CHECK(alive == 1);  // receivers that leave let go of what they have not received
  CHECK((*held)->get() != nullptr);
  Counted::Message copy = *held;
  held.reset();
  CHECK(alive == 1);
  {
    Counted::Message moved = std::move(copy);
  }
  CHECK(alive == 0);
}

TEST_CASE("Broadcast: a cancelled receive loses no message, also if it was woken already") {
  Sim sim;
  Lines lines(4);
  Lines::Receiver receiver(lines);
  CHECK(sim.run(with_timeout(1s, receiver.receive())).error() == Errc::timed_out);
  Scope scope(sim.reactor());
  scope.spawn([&]() -> Task<> {
    std::optional<Lines::Message> line = co_await receiver.receive();
    FAIL("received");
  });
  sim.settle();
  lines.send("a");
  scope.cancel();
  Result<std::optional<Lines::Message>> line = sim.run(receiver.receive());
  CHECK(***line == "a");
  Lines::Receiver moved = std::move(receiver);
  lines.send("b");
  lines.close();
  CHECK(**moved.try_receive() == "b");
  Result<std::optional<Lines::Message>> end = sim.run(moved.receive());
  REQUIRE(end);
  CHECK_FALSE(*end);
}

TEST_CASE("Broadcast: waiting receivers are woken first come, first served") {
  Sim sim;
  Lines lines(4);
  std::string order;
  auto receive = [](Lines& lines, std::string& order, char name) -> Task<> {
    Lines::Receiver receiver(lines);
    for (int i = 0; i < 2; ++i) {
      std::optional<Lines::Message> line = co_await receiver.receive();
      order += name;
    }
  };
  Scope scope(sim.reactor());
  for (const char name : {'a', 'b', 'c'}) scope.spawn(receive(lines, order, name));
  sim.settle();
  lines.send("1");
  sim.settle();
  lines.send("2");
  CHECK(sim.run(scope.join()));
  CHECK(order == "abcabc");
}

TEST_CASE("Broadcast: a task that always finds messages lets others run now and then") {
  Sim sim;
  Broadcast<int> messages(10'000);
  Broadcast<int>::Receiver receiver(messages);
  for (int i = 0; i < 10'000; ++i) messages.send(i);
  messages.close();
  int turns = 0;
  bool done = false;
  auto consumer = [&]() -> Task<> {
    int expected = 0;
    while (std::optional<Broadcast<int>::Message> message = co_await receiver.receive()) {
      if (**message != expected++) co_await Error(Errc::internal, "out of order");
    }
    done = true;
  };
  auto bystander = [&]() -> Task<> {
    while (!done) {
      ++turns;
      co_await yield();
    }
  };
  CHECK(sim.run(all(consumer(), bystander())));
  CHECK(turns >= 10'000 / 130);
}

TEST_CASE("Broadcast: every small history agrees with a model that copies each message for each receiver") {
  struct Model {
    std::deque<int> queue;
    std::uint64_t missed = 0;
  };
  constexpr std::size_t capacity = 2;
  test::Enumerate every;
  while (every.next()) {
    Broadcast<int> messages(capacity);
    std::vector<std::unique_ptr<Broadcast<int>::Receiver>> receivers;
    std::vector<Model> models;
    int next = 0;
    for (int step = 0; step < 7; ++step) {
      const std::size_t count = receivers.size();
      const std::size_t choice = every.up_to(count < 3 ? 1 + 2 * count : 2 * count);
      INFO("choices " << every.describe());
      if (choice == 0) {
        REQUIRE(messages.send(int(next)) == count);
        for (Model& model : models) {
          model.queue.push_back(next);
          if (model.queue.size() <= capacity) continue;
          model.queue.pop_front();
          ++model.missed;
        }
        ++next;
      } else if (choice <= count) {
        Model& model = models[choice - 1];
        std::optional<Broadcast<int>::Message> message = receivers[choice - 1]->try_receive();
        REQUIRE(message.has_value() == !model.queue.empty());
        if (!message) continue;
        REQUIRE(**message == model.queue.front());
        REQUIRE(message->missed() == std::exchange(model.missed, 0));
        model.queue.pop_front();
      } else if (choice <= 2 * count) {
        const auto gone = static_cast<std::ptrdiff_t>(choice - 1 - count);
        receivers.erase(receivers.begin() + gone);
        models.erase(models.begin() + gone);
      } else {
        receivers.push_back(std::make_unique<Broadcast<int>::Receiver>(messages));
        models.emplace_back();
      }
      std::size_t longest = 0;
      for (const Model& model : models) longest = std::max(longest, model.queue.size());
      REQUIRE(messages.size() == longest);
    }
  }
  CHECK(every.rounds() > 10'000);
}
