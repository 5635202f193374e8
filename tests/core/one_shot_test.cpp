// OneShot: one outcome, whichever end goes first.

#include <escapement/core/one_shot.h>

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/channel.h>
#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

static_assert(Operation<OneShot<int>::Receive>);
static_assert(Operation<OneShot<>::Receive>);
static_assert(Operation<OneShot<int>::Sender::Unwanted>);

TEST_CASE("OneShot: a value that was sent before, or is sent while a task waits") {
  Sim sim;
  OneShot<int> early;
  OneShot<int>::Sender to_early = early.sender();
  CHECK(to_early.wanted());
  CHECK_FALSE(early.ready());
  CHECK(to_early.send(1));
  CHECK_FALSE(to_early.wanted());
  CHECK_FALSE(to_early.send(2));
  CHECK(early.ready());
  CHECK(*sim.run(early.receive()) == 1);

  OneShot<int> late;
  OneShot<int>::Sender to_late = late.sender();
  auto later = [&]() -> Task<> {
    co_await sleep(1s);
    to_late.send(3);
  };
  auto run = [&]() -> Task<int> {
    auto [value, nothing] = co_await all(late.receive(), later());
    (void)nothing;
    co_return value;
  };
  CHECK(*sim.run(run()) == 3);
  CHECK(sim.elapsed() == 1s);
}

TEST_CASE("OneShot: an error fails the receiver, each time") {
  Sim sim;
  OneShot<int> reply;
  OneShot<int>::Sender sender = reply.sender();
  auto wait = [](OneShot<int>& reply) -> Task<int> { co_return co_await reply.receive(); };
  Scope scope(sim.reactor());
  JoinHandle<int> waiting = scope.spawn_joinable(wait(reply));
  sim.settle();
  CHECK(sender.send(Error(Errc::not_found, "no such thing")));
  CHECK_FALSE(waiting.finished());  // nobody runs inside send
  sim.settle();
  CHECK(sim.run(std::move(waiting).join()).error().message() == "no such thing");
  CHECK(sim.run(reply.receive()).error() == Errc::not_found);
  std::optional<Result<int>> again = reply.try_receive();
  REQUIRE(again);
  CHECK(again->error() == Errc::not_found);
}

TEST_CASE("OneShot: a sender that is destroyed without having sent fails the receiver") {
  Sim sim;
  OneShot<int> waited_for;
  OneShot<int> asked_later;
  {
    Scope scope(sim.reactor());
    OneShot<int>::Sender first = waited_for.sender();
    OneShot<int>::Sender second = asked_later.sender();
    JoinHandle<int> waiting = scope.spawn_joinable(waited_for.receive());
    sim.settle();
    {
      OneShot<int>::Sender dropped = std::move(first);
      OneShot<int>::Sender dropped_too = std::move(second);
      CHECK_FALSE(first.wanted());
      CHECK(dropped.wanted());
    }
    Result<int> lost = sim.run(std::move(waiting).join());
    REQUIRE(!lost);
    CHECK(lost.error() == Errc::reset);
    CHECK(lost.error().message() == "receive: the sender of the OneShot was destroyed without having sent");
  }
  CHECK(sim.run(asked_later.receive()).error() == Errc::reset);
}

TEST_CASE("OneShot: assigning to a sender drops what it sent to") {
  Sim sim;
  OneShot<int> one;
  OneShot<int> two;
  OneShot<int>::Sender sender = one.sender();
  sender = two.sender();
  CHECK(sim.run(one.receive()).error() == Errc::reset);
  CHECK(sender.send(2));
  CHECK(*sim.run(two.receive()) == 2);
}

TEST_CASE("OneShot: a receiver that is gone is not wanted from, and the outcome stays with the sender") {
  Sim sim;
  std::optional<OneShot<std::unique_ptr<int>>> reply(std::in_place);
  OneShot<std::unique_ptr<int>>::Sender sender = reply->sender();
  std::string log;
  auto work = [&]() -> Task<> {
    co_await race(sleep(1h), sender.unwanted());
    log += "unwanted";
  };
  Scope scope(sim.reactor());
  scope.spawn(work);
  sim.settle();
  CHECK(log.empty());
  reply.reset();
  CHECK(log.empty());
  sim.settle();
  CHECK(log == "unwanted");
  CHECK_FALSE(sender.wanted());
  CHECK(sim.run(sender.unwanted()));  // at once
  Result<std::unique_ptr<int>> outcome(std::make_unique<int>(7));
  CHECK_FALSE(sender.send(std::move(outcome)));
  CHECK(**outcome == 7);
  CHECK(sim.elapsed() == Duration());
}

TEST_CASE("OneShot: a cancelled wait loses nothing, also if it was woken already") {
  Sim sim;
  OneShot<int> reply;
  OneShot<int>::Sender sender = reply.sender();
  CHECK(sim.run(with_timeout(1s, reply.receive())).error() == Errc::timed_out);
  Scope scope(sim.reactor());
  scope.spawn([&]() -> Task<> {
    const int value = co_await reply.receive();
    FAIL("received " << value);
  });
  sim.settle();
  sender.send(5);
  scope.cancel();
  CHECK(*sim.run(reply.receive()) == 5);

  OneShot<> failed;
  OneShot<>::Sender to_failed = failed.sender();
  scope.spawn(failed.receive());
  sim.settle();
  to_failed.send(Error(Errc::reset));
  scope.cancel();
  CHECK(sim.run(failed.receive()).error() == Errc::reset);
}

TEST_CASE("OneShot: without a value; and try_receive") {
  Sim sim;
  OneShot<> done;
  OneShot<>::Sender sender = done.sender();
  CHECK_FALSE(done.try_receive());
  CHECK(sender.send({}));
  CHECK(done.ready());
  CHECK(*done.try_receive());
  OneShot<std::string> text;
  OneShot<std::string>::Sender to_text = text.sender();
  CHECK(to_text.send(std::string("hello")));
  CHECK(**text.try_receive() == "hello");
}

TEST_CASE("OneShot: carries the replies of a task that serves questions from a channel") {
  struct Question {
    Question(int n, OneShot<int>::Sender r) : number(n), reply(std::move(r)) {}
    int number;
    OneShot<int>::Sender reply;
  };
  Sim sim;
  Channel<Question> questions(2);
  auto serve = [&]() -> Task<> {
    while (std::optional<Question> question = co_await questions.receive()) {
      co_await sleep(1ms);
      if (question->number != 3) question->reply.send(question->number * 2);
    }
  };
  auto ask = [](Channel<Question>& questions, int number) -> Task<int> {
    OneShot<int> reply;
    Question question(number, reply.sender());
    co_await questions.send_from(question);
    co_return co_await reply.receive();
  };
  auto run = [&]() -> Task<std::vector<int>> {
    Reactor& reactor = co_await this_reactor;
    Scope scope(reactor);
    scope.spawn(serve);
    std::vector<Task<int>> asked;
    for (const int number : {1, 2, 4, 5, 6}) asked.push_back(ask(questions, number));
    std::vector<int> replies = co_await all(std::move(asked));
    Result<int> unanswered = co_await ask(questions, 3).result();
    replies.push_back(unanswered ? -1 : static_cast<int>(unanswered.error().code()));
    questions.close();
    co_await scope.join();
    co_return replies;
  };
  CHECK(*sim.run(run()) == std::vector<int>{2, 4, 8, 10, 12, static_cast<int>(Errc::reset)});
}
