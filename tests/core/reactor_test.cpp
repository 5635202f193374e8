// The order in which a turn runs things, its budgets, and what step() returns.

#include <escapement/core/reactor.h>

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/list_timers.h"

using namespace escapement;

namespace {

// Adds its name to a log when it runs, and then does something.
class Note final : public Runnable {
 public:
  Note(std::string& log, char name) : log_(log), name_(name) {}
  void run() override {
    log_ += name_;
    if (then) then();
  }
  std::function<void()> then;

 private:
  std::string& log_;
  char name_;
};

}  // namespace

TEST_CASE("Reactor: continuations come first, then what is ready, then what is due; each in order") {
  Sim sim;
  Reactor& reactor = sim.reactor();
  std::string log;
  Note due_early(log, 'd'), due_late(log, 'e'), ready_one(log, 'r'), ready_two(log, 's'), next(log, 'n');
  TimerEntry late, early;
  late.arm(reactor.timers(), Instant() + 2ms, due_late);
  early.arm(reactor.timers(), Instant() + 1ms, due_early);
  sim.backend().freeze(5ms);
  reactor.ready(ready_one);
  reactor.ready(ready_two);
  ready_one.then = [&] { reactor.resume_next(next); };
  reactor.step();
  CHECK(log == "rnsde");
}

TEST_CASE("Reactor: the youngest continuation runs first, and one in the queue is not queued twice") {
  Sim sim;
  Reactor& reactor = sim.reactor();
  std::string log;
  Note a(log, 'a'), b(log, 'b');
  reactor.resume_next(a);
  reactor.resume_next(b);
  reactor.resume_next(a);
  reactor.ready(a);
  reactor.ready(b);
  reactor.step();
  CHECK(log == "ba");
  reactor.step();
  CHECK(log == "ba");
}

TEST_CASE("Reactor: what is destroyed while it is queued does not run") {
  Sim sim;
  std::string log;
  Note stays(log, 's');
  {
    Note goes(log, 'g');
    sim.reactor().ready(goes);
    sim.reactor().ready(stays);
  }
  sim.reactor().step();
  CHECK(log == "s");
}

TEST_CASE("Reactor: what runs may destroy what waits behind it") {
  Sim sim;
  std::string log;
  auto victim = std::make_unique<Note>(log, 'v');
  Note killer(log, 'k');
  killer.then = [&] { victim.reset(); };
  sim.reactor().ready(killer);
  sim.reactor().ready(*victim);
  sim.reactor().step();
  CHECK(log == "k");
}

TEST_CASE("Reactor: a turn runs so many of each kind, and says when there is more") {
  Sim sim;
  Reactor& reactor = sim.reactor();
  std::string log;
  std::vector<std::unique_ptr<Note>> notes;
  std::vector<std::unique_ptr<TimerEntry>> entries;
  const int many = Reactor::budget + 72;
  for (int i = 0; i < many; ++i) {
    notes.push_back(std::make_unique<Note>(log, 'r'));
    reactor.ready(*notes.back());
    notes.push_back(std::make_unique<Note>(log, 'd'));
    entries.push_back(std::make_unique<TimerEntry>());
    entries.back()->arm(reactor.timers(), Instant() + 1ms, *notes.back());
  }
  sim.backend().freeze(1ms);
  Instant again = reactor.step();
  CHECK(again == reactor.now());
  CHECK(log == std::string(Reactor::budget, 'r') + std::string(Reactor::budget, 'd'));
  log.clear();
  CHECK(reactor.step() == Instant::never());
  CHECK(log == std::string(72, 'r') + std::string(72, 'd'));
}

TEST_CASE("Reactor: continuations have no budget, so a chain ends in the turn in which it began") {
  Sim sim;
  std::string log;
  Note link(log, '.');
  int left = 3 * Reactor::budget;
  link.then = [&] {
    if (--left > 0) sim.reactor().resume_next(link);
  };
  sim.reactor().ready(link);
  sim.reactor().step();
  CHECK(left == 0);
}

TEST_CASE("Reactor: time stands still within a turn, and never goes back") {
  Sim sim;
  Reactor& reactor = sim.reactor();
  std::string log;
  Note first(log, 'a'), second(log, 'b');
  std::vector<Instant> seen;
  first.then = [&] {
    seen.push_back(reactor.now());
    sim.backend().freeze(7ms);
    CHECK(reactor.precise_now() == seen.front() + 7ms);
  };
  second.then = [&] { seen.push_back(reactor.now()); };
  reactor.ready(first);
  reactor.ready(second);
  reactor.step();
  CHECK(seen == std::vector<Instant>{Instant(), Instant()});
  reactor.step();
  CHECK(reactor.now() == Instant() + 7ms);
}

TEST_CASE("Reactor: posted functions run in order, in one of the next turns, with what they own") {
  Sim sim;
  std::string log;
  auto owned = std::make_unique<char>('b');
  sim.reactor().post([&] { log += 'a'; });
  sim.reactor().post([&log, owned = std::move(owned)] { log += *owned; });
  sim.reactor().post([&] { log += 'c'; });
  CHECK(log.empty());
  CHECK(sim.backend().woken());
  sim.reactor().step();
  CHECK(log == "abc");
}

TEST_CASE("Reactor: what was posted and has not run is destroyed with the reactor") {
  auto witness = std::make_shared<int>(0);
  {
    Sim sim;
    sim.reactor().post([witness] { ++*witness; });
    sim.reactor().post([witness] { ++*witness; });
    CHECK(witness.use_count() == 3);
  }
  CHECK(witness.use_count() == 1);
  CHECK(*witness == 0);
}

TEST_CASE("Reactor: step returns the earliest deadline, and now where more is ready") {
  Sim sim;
  Reactor& reactor = sim.reactor();
  std::string log;
  Note target(log, 't'), again(log, 'a');
  TimerEntry entry;
  entry.arm(reactor.timers(), Instant() + 30ms, target);
  CHECK(reactor.step() == Instant() + 30ms);
  entry.arm(reactor.timers(), Instant() + 20ms, target);  // armed again: the first deadline is gone
  CHECK(reactor.step() == Instant() + 20ms);
  again.then = [&] { reactor.ready(again); };  // more to do each time
  reactor.ready(again);
  const Instant at_once = reactor.step();
  CHECK(at_once == reactor.now());
  again.then = nullptr;
  CHECK(reactor.step() == Instant() + 20ms);
  entry.disarm();
  CHECK_FALSE(entry.armed());
  CHECK(reactor.step() == Instant::never());
  CHECK(log.find('t') == std::string::npos);
}

TEST_CASE("Reactor: runs with any TimerQueue: the model in the wheel's place") {
  SimBackend backend;
  test::ListTimers timers;
  Reactor reactor(backend, timers);
  auto naps = []() -> Task<> {
    co_await sleep(1s);
    co_await sleep(2s);
  };
  CHECK(reactor.run(naps()));
  CHECK(backend.elapsed() == 3s);
  CHECK(timers.next() == Instant::never());
}

TEST_CASE("Reactor: a timer whose target is queued already does not queue it twice") {
  Sim sim;
  std::string log;
  Note target(log, 't');
  TimerEntry one, two;
  one.arm(sim.reactor().timers(), Instant() + 1ms, target);
  two.arm(sim.reactor().timers(), Instant() + 1ms, target);
  sim.backend().freeze(1ms);
  sim.reactor().step();
  CHECK(log == "t");
  CHECK_FALSE(one.armed());
  CHECK_FALSE(two.armed());
}

TEST_CASE("Reactor: a failure is what run() returns, and it can run again after a stall") {
  Sim sim;
  Event event;
  auto waits = [](Event& event) -> Task<> { co_await event.wait(); };
  CHECK(sim.run(waits(event)).error() == Errc::internal);
  auto fails = []() -> Task<int> {
    co_await sleep(1ms);
    co_return Error(Errc::not_found, "gone");
  };
  CHECK(sim.run(fails()).error() == Errc::not_found);
  event.set();
  CHECK(sim.run(waits(event)));
}

TEST_CASE("Reactor: draws a seed once, and only where a number is asked for") {
  class Counting final : public Backend {
   public:
    Instant now() override { return {}; }
    SystemTime system_now() override { return {}; }
    std::uint64_t entropy() override { return seed + static_cast<std::uint64_t>(draws++); }
    bool wait(Reactor&, Instant) override { return false; }
    void wake() noexcept override {}
    std::uint64_t seed = 7;
    int draws = 0;
  };
  Counting backend;
  TimerWheel timers(backend.now());
  Reactor reactor(backend, timers);
  CHECK(backend.draws == 0);
  Random same(7);
  for (int i = 0; i < 3; ++i) CHECK(reactor.random().next() == same.next());
  CHECK(backend.draws == 1);
}
