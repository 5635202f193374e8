// MemoryQueue: batches, delays, retries and faults in simulated time.

#include <catch2/catch_test_macros.hpp>
#include <map>

#include <escapement/io/bindings/memory_queue.h>
#include <escapement/io/sim/sim.h>

using namespace escapement;

namespace {

struct World {
  explicit World(MemoryQueueOptions options = {})
      : queue(
            sim.reactor(), [this](QueueBatch& batch) -> Task<> { return consume(batch); },
            std::move(options)) {}
  Task<> consume(QueueBatch& batch) {
    std::string text = std::to_string(sim.elapsed() / Duration(1s)) + ':';
    for (const QueueMessage& message : batch.messages) {
      text += ' ' + message.body + '#' + std::to_string(message.attempts);
      CHECK(sim.backend().system_now() - message.sent >= delays[message.body]);
    }
    log.push_back(text);
    if (decide) decide(batch);
    if (fails) co_await Error(Errc::internal, "the consumer");
  }
  void send(std::vector<std::string> bodies, Duration delay = {}) {
    for (const std::string& body : bodies) delays[body] = delay;
    REQUIRE(sim.run(queue.send_all(std::move(bodies), delay)));
  }

  Sim sim;
  std::map<std::string, Duration> delays;
  std::vector<std::string> log;
  std::function<void(QueueBatch&)> decide;
  bool fails = false;
  MemoryQueue queue;
};

using Log = std::vector<std::string>;

}  // namespace

TEST_CASE("MemoryQueue: a batch leaves when it is full, or has waited") {
  World world({.batch_max = 3});
  world.send({"a", "b"});
  world.sim.advance(4s);
  CHECK(world.log.empty());
  world.send({"c", "d"});
  world.sim.advance(10s);
  CHECK(world.log == Log{"4: a#1 b#1 c#1", "9: d#1"});
  CHECK(world.queue.size() == 0);
}

TEST_CASE("MemoryQueue: delays are never short") {
  World world({.batch_wait = Duration()});
  world.sim.advance(Duration::nanoseconds(999'999));
  world.send({"late"}, 30s);
  world.send({"now"});
  world.sim.advance(29s);
  CHECK(world.log == Log{"0: now#1"});
  world.sim.advance(2s);
  CHECK(world.log == Log{"0: now#1", "30: late#1"});
}

TEST_CASE("MemoryQueue: retries, one by one or for a batch that failed, then the dead letter") {
  std::vector<std::string> dead;
  World world({.batch_wait = Duration(), .retries_max = 2, .dead_letter = [&](QueueMessage message) {
                 dead.push_back(message.body + '#' + std::to_string(message.attempts));
               }});
  world.sim.reactor().on_unhandled_failure([](const Error&) {});
  SECTION("one by one") {
    world.decide = [](QueueBatch& batch) {
      for (std::size_t i = 0; i < batch.messages.size(); ++i) {
        if (batch.messages[i].body == "b") batch.retry(i, 10s);
      }
    };
    world.send({"a", "b"});
    world.sim.advance(1min);
    CHECK(world.log == Log{"0: a#1 b#1", "10: b#2", "20: b#3"});
    CHECK(dead == Log{"b#3"});
  }
  SECTION("a batch that failed") {
    world.fails = true;
    world.decide = [](QueueBatch& batch) { batch.acknowledge(0); };
    world.send({"a", "b"});
    world.sim.advance(1min);
    CHECK(world.log == Log{"0: a#1 b#1", "0: b#2"});
    CHECK(dead.empty());
  }
  CHECK(world.queue.size() == 0);
}

TEST_CASE("MemoryQueue: may deliver a message again that was handled, under the same id") {
  World world({.batch_max = 1, .batch_wait = Duration(), .repeat_one_in = 2});
  std::map<std::string, int> ids;
  world.decide = [&](QueueBatch& batch) { ++ids[batch.messages[0].id]; };
  for (int i = 0; i < 20; ++i) world.send({std::to_string(i)});
  world.sim.advance(1min);
  CHECK(ids.size() == 20);
  CHECK(world.log.size() > 22);
}

TEST_CASE("QueueProducer: refuses what no queue takes") {
  World world;
  const auto error = [&](std::vector<std::string> bodies, Duration delay) {
    return world.sim.run(world.queue.send_all(std::move(bodies), delay)).error().code();
  };
  CHECK(error({"a"}, Duration(-1s)) == Errc::invalid_argument);
  CHECK(error({"a"}, 12h + 1s) == Errc::invalid_argument);
  CHECK(error(std::vector<std::string>(101, "a"), {}) == Errc::limit_exceeded);
  CHECK(error({std::string(128'001, 'a')}, {}) == Errc::limit_exceeded);
  CHECK(world.queue.size() == 0);
  world.send({});
  CHECK(world.queue.size() == 0);
}
