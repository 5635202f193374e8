// Misuse of channels, locks and the like, by name: each must end the program with a sentence that says what
// was done wrong.  synchronisation NAME

#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>

#include <escapement/core/barrier.h>
#include <escapement/core/broadcast.h>
#include <escapement/core/channel.h>
#include <escapement/core/combine.h>
#include <escapement/core/condition.h>
#include <escapement/core/generator.h>
#include <escapement/core/latch.h>
#include <escapement/core/one_shot.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/delay.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

void misuse_channel(const std::string& name) {
  Sim sim;
  if (name == "channel-capacity") Channel<int> channel(0);
  if (name == "channel-woken") {
    std::optional<Channel<int>> channel(std::in_place, 1);
    Scope scope(sim.reactor());
    JoinHandle<std::optional<int>> handle = scope.spawn_joinable(channel->receive());
    sim.settle();
    channel->try_send(1);
    channel.reset();
  }
  if (name == "broadcast-capacity") Broadcast<int> broadcast(0);
  if (name == "broadcast-receivers") {
    std::optional<Broadcast<int>> broadcast(std::in_place, 1);
    Broadcast<int>::Receiver receiver(*broadcast);
    broadcast.reset();
  }
  if (name == "broadcast-two-tasks") {
    Broadcast<int> broadcast(1);
    Broadcast<int>::Receiver receiver(broadcast);
    Scope scope(sim.reactor(), nullptr);
    auto receive = [](Broadcast<int>::Receiver& receiver) -> Task<> {
      std::optional<Broadcast<int>::Message> message = co_await receiver.receive();
    };
    scope.spawn(receive(receiver));
    scope.spawn(receive(receiver));
    sim.settle();
    broadcast.send(1);
    sim.settle();
  }
}

void misuse_one_shot(const std::string& name) {
  Sim sim;
  std::optional<OneShot<int>> reply(std::in_place);
  OneShot<int>::Sender sender = reply->sender();
  if (name == "one-shot-senders") OneShot<int>::Sender second = reply->sender();
  if (name == "one-shot-received") {
    sender.send(1);
    (void)sim.run(reply->receive());
    (void)sim.run(reply->receive());
  }
  if (name == "one-shot-two-tasks") (void)sim.run(all(reply->receive(), reply->receive()));
  if (name == "one-shot-waited-for") {
    Scope scope(sim.reactor());
    JoinHandle<int> handle = scope.spawn_joinable(reply->receive());
    sim.settle();
    reply.reset();
  }
}

void misuse_others(const std::string& name) {
  Sim sim;
  if (name == "barrier-parties") Barrier barrier(0);
  if (name == "latch-below-zero") Latch(2).count_down(3);
  if (name == "condition-unlocked") {
    Condition condition;
    Mutex::Guard guard;
    (void)sim.run(condition.wait(guard));
  }
  if (name == "generator-two-tasks") {
    auto values = []() -> Generator<int> {
      co_await sleep(1ms);
      co_yield 1;
    };
    Generator<int> generator = values();
    (void)sim.run(all(generator.next(), generator.next()));
  }
  if (name == "delay-two-tasks") {
    Delay delay;
    (void)sim.run(all(delay.wait(), delay.wait()));
  }
}

}  // namespace

// A signal would be an accident to ctest, whatever was printed before.
int main(int, char** arguments) {
  std::signal(SIGABRT, [](int) { std::_Exit(1); });
  misuse_channel(arguments[1]);
  misuse_one_shot(arguments[1]);
  misuse_others(arguments[1]);
}
