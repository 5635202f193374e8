// Channel: order, closing, cancellation in every small history, and that nothing is lost or received twice.

#include <escapement/core/channel.h>

#include <algorithm>
#include <memory>
#include <optional>
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

static_assert(Operation<Channel<int>::Send>);
static_assert(Operation<Channel<int>::Receive>);
static_assert(AsyncSequence<Channel<int>&>);

namespace {

Task<> send_numbers(Channel<int>& channel, int from, int count) {
  for (int i = from; i < from + count; ++i) co_await channel.send(i);
}

Task<> receive_into(Channel<int>& channel, std::vector<int>& received) {
  while (std::optional<int> value = co_await channel.receive()) received.push_back(*value);
}

std::vector<int> numbers(int from, int count) {
  std::vector<int> all;
  for (int i = 0; i < count; ++i) all.push_back(from + i);
  return all;
}

Task<> send_and_note(Channel<int>& channel, int value, std::vector<int>& sent) {
  co_await channel.send(value);
  sent.push_back(value);
}

Task<> receive_and_note(Channel<int>& channel, int id, std::vector<int>& received, std::vector<int>& ids) {
  std::optional<int> value = co_await channel.receive();
  if (!value) co_return;
  received.push_back(*value);
  ids.push_back(id);
}

}  // namespace

TEST_CASE("Channel: values come in order through a small buffer, and close ends the receiver's loop") {
  for (const std::size_t capacity : {1U, 2U, 3U, 8U, 100U, 5000U}) {
    Sim sim;
    Channel<int> channel(capacity);
    std::vector<int> received;
    Scope scope(sim.reactor());
    scope.spawn(receive_into(channel, received));
    auto producer = [&]() -> Task<> {
      co_await send_numbers(channel, 0, 1000);
      channel.close();
    };
    scope.spawn(producer);
    CHECK(sim.run(scope.join()));
    CHECK(received == numbers(0, 1000));
    CHECK(channel.closed());
    CHECK(channel.empty());
  }
}

TEST_CASE("Channel: holds back senders at its capacity") {
  Sim sim;
  Channel<int> channel(3);
  CHECK(channel.capacity() == 3);
  std::vector<int> sent;
  Scope scope(sim.reactor());
  for (int i = 0; i < 5; ++i) scope.spawn(send_and_note(channel, i, sent));
  sim.settle();
  CHECK(sent == numbers(0, 3));
  CHECK(channel.size() == 3);
  CHECK_FALSE(channel.try_send(9));
  CHECK(channel.try_receive() == 0);
  CHECK_FALSE(channel.try_send(9));  // the room is the first waiting sender's
  sim.settle();
  CHECK(sent == numbers(0, 4));
  CHECK(channel.size() == 3);
  for (int i = 1; i < 5; ++i) {
    CHECK(channel.try_receive() == i);
    sim.settle();
  }
  CHECK(channel.try_receive() == std::nullopt);
}

TEST_CASE("Channel: many senders and receivers: each value once, first come, first served") {
  Sim sim;
  Channel<int> channel(2);
  std::vector<int> received;
  Scope receivers(sim.reactor());
  Scope senders(sim.reactor());
  for (int i = 0; i < 3; ++i) receivers.spawn(receive_into(channel, received));
  for (int i = 0; i < 10; ++i) senders.spawn(send_numbers(channel, i * 100, 50));
  auto run = [&]() -> Task<> {
    co_await senders.join();
    channel.close();
    co_await receivers.join();
  };
  REQUIRE(sim.run(run()));
  REQUIRE(received.size() == 500);
  // While all still send, no sender gets ahead of another by more than what fits in the channel.
  std::vector<int> counts(10);
  for (std::size_t i = 0; i < 450; ++i) {
    const int sender = received[i] / 100;
    CHECK(received[i] % 100 == counts[static_cast<std::size_t>(sender)]++);
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    REQUIRE(*most - *least <= 3);
  }
  std::sort(received.begin(), received.end());
  CHECK(std::adjacent_find(received.begin(), received.end()) == received.end());
}

TEST_CASE("Channel: what is closed can be received to the end, and not sent to") {
  Sim sim;
  Channel<int> channel(4);
  CHECK(channel.try_send(1));
  CHECK(channel.try_send(2));
  channel.close();
  channel.close(Error(Errc::reset));  // does nothing any more
  CHECK_FALSE(channel.try_send(3));
  Result<> refused = sim.run(channel.send(3));
  REQUIRE(!refused);
  CHECK(refused.error() == Errc::unavailable);
  CHECK(refused.error().message() == "send: the channel is closed");
  CHECK_FALSE(refused.error().maybe_sent());
  CHECK(*sim.run(channel.receive()) == 1);
  CHECK(channel.try_receive() == 2);
  CHECK(*sim.run(channel.receive()) == std::nullopt);
  CHECK(*sim.run(channel.receive()) == std::nullopt);
  CHECK(channel.try_receive() == std::nullopt);
}

TEST_CASE("Channel: closed with an error, sends fail with it, and receives once all is received") {
  Sim sim;
  Channel<int> channel(1);
  CHECK(channel.try_send(1));
  std::vector<std::string> log;
  auto sender = [](Channel<int>& channel, std::vector<std::string>& log) -> Task<> {
    Result<> sent = co_await channel.send(2).result();
    log.push_back("send " + std::string(name(sent.error().code())));
  };
  Scope scope(sim.reactor());
  scope.spawn(sender(channel, log));
  sim.settle();
  channel.close(Error(Errc::not_found, "gone"));
  sim.settle();
  CHECK(log == std::vector<std::string>{"send not_found"});
  CHECK(*sim.run(channel.receive()) == 1);
  Result<std::optional<int>> end = sim.run(channel.receive());
  REQUIRE(!end);
  CHECK(end.error().message() == "gone");
  auto loop = [&]() -> Task<> {
    while (std::optional<int> value = co_await channel.receive()) (void)value;
  };
  CHECK(sim.run(loop()).error() == Errc::not_found);
  CHECK(sim.run(channel.send(3)).error().message() == "gone");
}

TEST_CASE("Channel: closing wakes all receivers and fails all senders, in the order in which they came") {
  Sim sim;
  std::string log;
  auto receiver = [](Channel<int>& channel, std::string& log, char id) -> Task<> {
    Result<std::optional<int>> end = co_await channel.receive().result();
    log += id;
    log += end ? '.' : '!';
  };
  auto plain_sender = [](Channel<int>& channel) -> Task<> { co_await channel.send(1); };
  auto sender = [&](Channel<int>& channel, std::string& log, char id) -> Task<> {
    Result<> end = co_await plain_sender(channel).result();
    log += id;
    log += end ? '.' : '!';
  };
  for (const bool with_error : {false, true}) {
    Channel<int> empty(1);
    Channel<int> full(1);
    full.try_send(0);
    log.clear();
    Scope scope(sim.reactor());
    for (const char id : {'a', 'b', 'c'}) scope.spawn(receiver(empty, log, id));
    for (const char id : {'x', 'y', 'z'}) scope.spawn(sender(full, log, id));
    sim.settle();
    if (with_error) {
      empty.close(Error(Errc::reset));
      full.close(Error(Errc::reset));
    } else {
      empty.close();
      full.close();
    }
    CHECK(log.empty());  // nobody runs inside close
    sim.settle();
    CHECK(log == (with_error ? "a!b!c!x!y!z!" : "a.b.c.x!y!z!"));
  }
}

TEST_CASE("Channel: may be closed by a child of the combinator whose other child waits") {
  Sim sim;
  Channel<int> channel(1);
  auto closes = [&]() -> Task<std::optional<int>> {
    channel.close(Error(Errc::reset));
    co_return 7;
  };
  auto nested = [&]() -> Task<std::optional<int>> { co_return co_await race(channel.receive(), closes()); };
  auto run = [&]() -> Task<int> {
    auto [value, nothing] = co_await all(nested(), sleep(1s));
    (void)nothing;
    co_return *value;
  };
  CHECK(*sim.run(run()) == 7);
  CHECK(sim.run(all(channel.receive(), sleep(1s))).error() == Errc::reset);
}

TEST_CASE("Channel: moves values that can only be moved; a failed or cancelled send_from leaves them") {
  Sim sim;
  Channel<std::unique_ptr<int>> channel(1);
  auto value = std::make_unique<int>(1);
  CHECK(sim.run(channel.send_from(value)));
  CHECK(value == nullptr);
  value = std::make_unique<int>(2);
  CHECK(sim.run(with_timeout(1s, channel.send_from(value))).error() == Errc::timed_out);
  REQUIRE(value != nullptr);
  CHECK_FALSE(channel.try_send(std::move(value)));
  REQUIRE(value != nullptr);
  Result<std::optional<std::unique_ptr<int>>> first = sim.run(channel.receive());
  CHECK(***first == 1);
  CHECK(channel.try_send(std::move(value)));
  CHECK(value == nullptr);
  value = std::make_unique<int>(3);
  channel.close();
  CHECK(sim.run(channel.send_from(value)).error() == Errc::unavailable);
  CHECK(*value == 3);
  CHECK(**channel.try_receive() == 2);
}

TEST_CASE("Channel: values that are left, or whose send is cancelled, are destroyed once") {
  int alive = 0;
  struct Counted {
    explicit Counted(int& count) : one(std::make_unique<test::Alive>(count)) {}
    std::unique_ptr<test::Alive> one;
  };
  Sim sim;
  {
    Channel<Counted> channel(2);
    Scope scope(sim.reactor());
    for (int i = 0; i < 4; ++i) scope.spawn(channel.send(Counted(alive)));
    sim.settle();
    CHECK(alive == 4);
    CHECK(channel.size() == 2);
    scope.cancel();
    CHECK(alive == 2);
    CHECK(channel.try_receive());
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("Channel: a time limit that expires as a value comes neither loses nor doubles it") {
  Sim sim;
  Channel<int> channel(1);
  std::vector<int> received;
  auto receiver = [&]() -> Task<> {
    for (;;) {
      Result<std::optional<int>> value = co_await with_timeout(10ms, channel.receive()).result();
      if (!value) continue;
      if (!*value) co_return;
      received.push_back(**value);
    }
  };
  auto sender = [&]() -> Task<> {
    for (int i = 0; i < 20;) {
      Result<> sent = co_await with_timeout(10ms, channel.send(i)).result();
      if (sent) ++i;
      co_await sleep(10ms);
    }
    channel.close();
  };
  CHECK(sim.run(all(receiver(), sender())));
  CHECK(received == numbers(0, 20));
}

TEST_CASE("Channel: select takes a receive beside other operations") {
  Sim sim;
  Channel<int> channel(1);
  Event stopping;
  auto run = [&]() -> Task<std::string> {
    std::string log;
    std::variant<std::optional<int>, std::monostate> first = co_await select(channel.receive(), sleep(10ms));
    log += std::to_string(first.index());
    channel.try_send(5);
    std::variant<std::optional<int>, std::monostate> second =
        co_await select(channel.receive(), stopping.wait());
    log += std::to_string(second.index());
    log += std::to_string(std::get<0>(second).value());
    co_return log;
  };
  CHECK(*sim.run(run()) == "105");
}

TEST_CASE("Channel: a task that always finds values lets others run now and then") {
  Sim sim;
  Channel<int> channel(10'000);
  for (int i = 0; i < 10'000; ++i) CHECK(channel.try_send(i));
  channel.close();
  int received = 0;
  int most_between = 0;
  bool done = false;
  auto consumer = [&]() -> Task<> {
    while (std::optional<int> value = co_await channel.receive()) {
      if (*value != received) co_await Error(Errc::internal, "out of order");
      ++received;
    }
    done = true;
  };
  auto bystander = [&]() -> Task<> {
    while (!done) {
      const int before = received;
      co_await yield();
      most_between = std::max(most_between, received - before);
    }
  };
  CHECK(sim.run(all(consumer(), bystander())));
  CHECK(received == 10'000);
  CHECK(most_between <= 130);
  Channel<int> wide(10'000);
  int turns = 0;
  done = false;
  auto producer = [&]() -> Task<> {
    co_await send_numbers(wide, 0, 10'000);
    done = true;
  };
  auto counter = [&]() -> Task<> {
    while (!done) {
      ++turns;
      co_await yield();
    }
  };
  CHECK(sim.run(all(producer(), counter())));
  CHECK(turns >= 10'000 / 130);
  CHECK(wide.size() == 10'000);
}

TEST_CASE("Channel: may be destroyed while tasks wait, if their owner destroys them next") {
  Sim sim;
  std::vector<int> log;
  Scope scope(sim.reactor());
  {
    Channel<int> empty(1);
    Channel<int> full(1);
    full.try_send(0);
    scope.spawn(receive_into(empty, log));
    scope.spawn(send_numbers(full, 1, 1));
    sim.settle();
  }
  scope.cancel();
  CHECK(log.empty());
}

namespace {

// One random life of a channel: what came in, what came out, and who still waits.
class History {
 public:
  History(Sim& sim, std::size_t capacity) : sim_(sim), channel_(capacity), scope_(sim.reactor(), nullptr) {}

  std::size_t tasks() const { return tasks_.size(); }
  void spawn_send() {
    tasks_.push_back(Party{scope_.spawn_joinable(send_and_note(channel_, next_, sent_)), true});
    ++next_;
    sim_.settle();
  }
  void spawn_receive() {
    const int id = static_cast<int>(tasks_.size());
    tasks_.push_back(Party{scope_.spawn_joinable(receive_and_note(channel_, id, received_, ids_)), false});
    sim_.settle();
  }
  void try_send() {
    if (channel_.try_send(next_)) sent_.push_back(next_);
    ++next_;
  }
  void try_receive() {
    std::optional<int> value = channel_.try_receive();
    if (value) received_.push_back(*value);
  }
  void cancel(std::size_t task) { tasks_[task].handle.cancel(); }
  void close() { channel_.close(); }

  void check_settled() {
    sim_.settle();
    std::size_t sends = 0;
    std::size_t receives = 0;
    for (const Party& party : tasks_) {
      if (!party.handle.finished()) ++(party.sends ? sends : receives);
    }
    REQUIRE((sends == 0 || channel_.size() == channel_.capacity()));
    REQUIRE((receives == 0 || channel_.empty()));
    REQUIRE((!channel_.closed() || (sends == 0 && receives == 0)));
    REQUIRE(channel_.size() == sent_.size() - received_.size());
  }
  void check_end() {
    scope_.cancel();
    while (std::optional<int> value = channel_.try_receive()) received_.push_back(*value);
    REQUIRE(received_ == sent_);
    REQUIRE(std::is_sorted(ids_.begin(), ids_.end()));
    REQUIRE(channel_.empty());
  }

 private:
  struct Party {
    JoinHandle<void> handle;
    bool sends;
  };
  Sim& sim_;
  Channel<int> channel_;
  std::vector<int> sent_;
  std::vector<int> received_;
  std::vector<int> ids_;
  int next_ = 0;
  Scope scope_;
  std::vector<Party> tasks_;
};

}  // namespace

TEST_CASE(
    "Channel: in every small history what was sent is received once, in order, and nobody waits in vain") {
  test::Enumerate every;
  while (every.next()) {
    Sim sim;
    sim.reactor().on_unhandled_failure([](const Error&) {});
    History history(sim, every.between(1, 2));
    INFO("choices " << every.describe());
    for (int step = 0; step < 5; ++step) {
      const std::size_t choice = every.up_to(4 + history.tasks());
      if (choice == 0) history.spawn_send();
      if (choice == 1) history.spawn_receive();
      if (choice == 2) history.try_send();
      if (choice == 3) history.try_receive();
      if (choice == 4) history.close();
      if (choice > 4) history.cancel(choice - 5);
      if (choice > 1 && every.flip()) history.check_settled();
    }
    history.check_settled();
    history.check_end();
  }
  CHECK(every.rounds() > 10'000);
}
