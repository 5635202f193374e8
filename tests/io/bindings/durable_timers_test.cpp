// DurableTimers in a simulated Durable Object that is killed at every instant.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <map>
#include <set>

#include <escapement/core/for_each.h>
#include <escapement/io/bindings/durable_timers.h>
#include <escapement/io/bindings/memory_durable_object.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

// The firings that an outside receiver has seen.
struct Receiver {
  struct Firing {
    int calls = 0;
    SystemTime due;
    SystemTime first;
  };
  std::map<std::string, std::map<std::string, Firing>> seen;  // by name, by idempotency key
  int early = 0;
  int calls = 0;
  // Fails calls: returns whether this one is to fail.
  std::function<bool(const DurableTimer&)> fails;
  Duration takes;
};

class Reminders final : public DurableObject {
 public:
  Reminders(Reactor& reactor, DurableStorage& storage, Receiver& receiver, DurableTimersOptions options)
      : reactor_(reactor),
        receiver_(receiver),
        timers(
            reactor, storage, [this](DurableTimer timer) -> Task<> { return receive(std::move(timer)); },
            std::move(options)) {}
  Task<> alarm() override { return timers.alarm(); }

 private:
  Task<> receive(DurableTimer timer) {
    const SystemTime now = reactor_.backend().system_now();
    Receiver::Firing& firing = receiver_.seen[timer.name][timer.idempotency_key];
    ++receiver_.calls;
    if (firing.calls++ == 0) firing.first = now;
    firing.due = timer.due;
    if (now < timer.due) ++receiver_.early;
    if (receiver_.takes > Duration()) co_await sleep(receiver_.takes);
    if (receiver_.fails && receiver_.fails(timer)) co_await Error(Errc::internal, "the handler's own");
  }

  Reactor& reactor_;
  Receiver& receiver_;

 public:
  DurableTimers timers;
};

// A simulated world with one object, which `kill` evicts.
struct World {
  explicit World(MemoryStorageOptions storage = {}, DurableTimersOptions timers = {}, Seed seed = Seed())
      : sim(seed),
        host(
            sim.reactor(), disk,
            [this, timers](Reactor& reactor, DurableStorage& its_storage) -> std::unique_ptr<DurableObject> {
              return std::make_unique<Reminders>(reactor, its_storage, receiver, timers);
            },
            std::move(storage)) {}

  DurableTimers& timers() { return static_cast<Reminders&>(host.object()).timers; }
  SystemTime now() { return sim.backend().system_now(); }
  void set(std::string name, Duration in, std::string payload = {}) {
    Result<> set = sim.run(timers().set(std::move(name), now() + in, std::move(payload)));
    REQUIRE(set);
  }
  std::size_t firings(const std::string& name) { return receiver.seen[name].size(); }
  int calls(const std::string& name) {
    int all = 0;
    for (const auto& [key, firing] : receiver.seen[name]) all += firing.calls;
    return all;
  }

  Sim sim;
  MemoryDisk disk;
  Receiver receiver;
  MemoryDurableObject host;
};

}  // namespace

TEST_CASE("DurableTimers: a timer fires once, when it is due") {
  World world;
  world.set("a", 10s, "payload");
  const SystemTime due = world.now() + 10s;
  world.sim.advance(9999ms);
  CHECK(world.receiver.calls == 0);
  world.sim.advance(1ms);
  CHECK(world.calls("a") == 1);
  CHECK(world.receiver.seen["a"].begin()->second.due == due);
  world.sim.advance(1h * 24);
  CHECK(world.calls("a") == 1);
  CHECK(world.disk.entries.empty());
  CHECK_FALSE(world.disk.alarm);
}

TEST_CASE("DurableTimers: setting again moves it, cancelling removes it") {
  World world;
  world.set("a", 10s);
  world.set("b", 5s);
  world.set("a", 20s);
  CHECK(world.disk.entries.size() == 4);
  const Result<std::optional<SystemTime>> due = world.sim.run(world.timers().due("a"));
  CHECK(*due == world.now() + 20s);
  const Result<bool> cancelled = world.sim.run(world.timers().cancel("b"));
  CHECK(*cancelled);
  const Result<bool> again = world.sim.run(world.timers().cancel("b"));
  CHECK_FALSE(*again);
  world.sim.advance(15s);
  CHECK(world.receiver.calls == 0);
  world.sim.advance(5s);
  CHECK(world.calls("a") == 1);
  CHECK(world.calls("b") == 0);
  CHECK(world.disk.entries.empty());
}

TEST_CASE("DurableTimers: the same name at the same time") {
  World world;
  world.set("a", 10s, "first");
  world.set("a", 10s, "second");
  CHECK(world.disk.entries.size() == 2);
  world.sim.advance(10s);
  CHECK(world.calls("a") == 1);
  world.set("a", -5s, "past");  // due at once, and another firing
  world.sim.advance(1ms);
  CHECK(world.firings("a") == 2);
}

TEST_CASE("DurableTimers: refuses names and payloads beyond the limits") {
  World world;
  const auto set = [&world](std::string name, std::string payload) {
    return world.sim.run(world.timers().set(std::move(name), world.now(), std::move(payload)));
  };
  CHECK(set("", "").error() == Errc::invalid_argument);
  CHECK(set(std::string(513, 'n'), "").error() == Errc::invalid_argument);
  CHECK(set("n", std::string(64 * 1024 + 1, 'p')).error() == Errc::limit_exceeded);
  CHECK(world.disk.writes == 0);
  CHECK(set(std::string(512, 'n'), std::string(64 * 1024, 'p')));
  world.sim.advance(1ms);
  CHECK(world.receiver.calls == 1);
}

TEST_CASE("DurableTimers: set_after is never early by any clock") {
  World world;
  world.sim.advance(Duration::nanoseconds(999'999));  // the wall clock has cut this off
  const Instant began = world.sim.reactor().precise_now();
  Result<> set = world.sim.run(world.timers().set_after("a", Duration::nanoseconds(1'000'001)));
  REQUIRE(set);
  world.sim.advance(Duration::nanoseconds(1'000'000));
  CHECK(world.receiver.calls == 0);
  world.sim.advance(5ms);
  CHECK(world.receiver.calls == 1);
  CHECK(world.sim.reactor().precise_now() - began >= Duration::nanoseconds(1'000'001));
  Result<> negative = world.sim.run(world.timers().set_after("b", Duration::min()));
  REQUIRE(negative);
  Result<> never = world.sim.run(world.timers().set_after("c", Duration::max()));
  REQUIRE(never);
  world.sim.advance(1h);
  CHECK(world.calls("b") == 1);
  CHECK(world.calls("c") == 0);
}

TEST_CASE("DurableTimers: all of a turn leave in one write with one alarm") {
  World world({.read_latency = 1ms, .write_latency = 4ms});
  world.set("first", 1h);
  const std::uint64_t writes = world.disk.writes;
  const std::uint64_t alarms = world.disk.alarms;
  const auto many = [&world]() -> Task<> {
    std::vector<int> all(100);  // a turn runs 128 tasks
    for (int i = 0; i < 100; ++i) all[static_cast<std::size_t>(i)] = i;
    co_await for_each(all, 100, [&world](int i) -> Task<> {
      return world.timers().set("n" + std::to_string(i), world.now() + 10s + Duration(1ms) * (100 - i));
    });
  };
  REQUIRE(world.sim.run(many()));
  CHECK(world.disk.writes == writes + 1);
  CHECK(world.disk.alarms == alarms + 1);
  world.sim.advance(11s);
  CHECK(world.receiver.calls == 100);
  CHECK(world.receiver.early == 0);
  CHECK(world.disk.entries.size() == 2);
}

TEST_CASE("DurableTimers: 10,000 timers fire in few writes, in order") {
  World world({.read_latency = 1ms, .write_latency = 20ms});
  const auto many = [&world]() -> Task<> {
    std::vector<int> all(10'000);
    for (int i = 0; i < 10'000; ++i) all[static_cast<std::size_t>(i)] = i;
    co_await for_each(all, 500, [&world](int i) -> Task<> {
      return world.timers().set("n" + std::to_string(i),
                                world.now() + Duration(1ms) * (1000 + i * 7 % 10'000));
    });
  };
  REQUIRE(world.sim.run(many()));
  CHECK(world.disk.alarms < 10);
  CHECK(world.disk.writes <= 50);
  world.sim.advance(12s);
  CHECK(world.receiver.calls == 10'000);
  CHECK(world.receiver.seen.size() == 10'000);
  CHECK(world.receiver.early == 0);
  CHECK(world.disk.entries.empty());
}

TEST_CASE("DurableTimers: a failed handler is called again with the same key, later each time") {
  World world;
  std::vector<SystemTime> at;
  world.receiver.fails = [&](const DurableTimer& timer) {
    at.push_back(world.now());
    CHECK(timer.attempt == static_cast<int>(at.size()));
    return at.size() < 5;
  };
  world.set("a", 1s);
  world.sim.advance(1h);
  CHECK(world.firings("a") == 1);
  REQUIRE(at.size() == 5);
  for (std::size_t i = 1; i < at.size(); ++i) CHECK(at[i] - at[i - 1] >= Duration(1s) * (1 << (i - 1)));
  CHECK(at[4] - at[0] < 16s);
  CHECK(world.disk.entries.empty());
}

TEST_CASE("DurableTimers: a handler that hangs is cancelled, and holds nobody else up for ever") {
  World world({}, {.concurrency = 2, .handler_timeout = 5s});
  world.receiver.takes = 1h;
  for (int i = 0; i < 4; ++i) world.set("n" + std::to_string(i), 1s);
  world.sim.advance(12s);
  CHECK(world.receiver.seen.size() == 4);
  CHECK(world.disk.entries.size() == 8);
}

TEST_CASE("DurableTimers: a timer that its handler sets again, or cancels") {
  World world;
  int calls = 0;
  world.receiver.fails = [&](const DurableTimer&) { return ++calls == 3; };
  class Repeating final : public DurableObject {
   public:
    Repeating(Reactor& reactor, DurableStorage& storage, std::vector<std::string>& keys)
        : timers_(reactor, storage, [this, &reactor, &keys](DurableTimer timer) -> Task<> {
            return again(reactor, keys, std::move(timer));
          }) {}
    Task<> alarm() override { return timers_.alarm(); }
    Task<http::Response> fetch(http::Request) override {
      co_await timers_.set_after("tick", 1s);
      co_return http::Response(200);
    }

   private:
    Task<> again(Reactor& reactor, std::vector<std::string>& keys, DurableTimer timer) {
      keys.push_back(timer.idempotency_key);
      if (keys.size() < 5) co_await timers_.set("tick", timer.due + 1s);
      if (keys.size() == 5) {
        bool there = co_await timers_.cancel("tick");
        CHECK(there);
      }
      CHECK(reactor.backend().system_now() >= timer.due);
      if (keys.size() % 2 == 0) co_await Error(Errc::internal, "after it was set again");
    }
    DurableTimers timers_;
  };
  Sim sim;
  MemoryDisk disk;
  std::vector<std::string> keys;
  MemoryDurableObject host(sim.reactor(), disk, [&keys](Reactor& reactor, DurableStorage& storage) {
    return std::unique_ptr<DurableObject>(std::make_unique<Repeating>(reactor, storage, keys));
  });
  REQUIRE(sim.run(host.fetch(http::get("http://x/"))));
  sim.advance(1min);
  CHECK(keys.size() == 5);
  CHECK(std::set<std::string>(keys.begin(), keys.end()).size() == 5);
  CHECK(disk.entries.empty());
}

TEST_CASE("DurableTimers: entries that are not theirs are reported and dropped") {
  World world;
  std::vector<std::string> reported;
  world.sim.reactor().on_unhandled_failure([&](const Error& error) { reported.push_back(to_string(error)); });
  world.disk.entries["timers/t/0"] = "junk";
  world.disk.entries["timers/t/00000000000000zz/a"] = "junk";
  world.disk.entries["timers/t/0000000000000001/a"] = "junk";
  world.disk.entries["timers/n/b"] = "junk";
  world.set("a", 1s);
  world.set("b", 1s);
  world.sim.advance(2s);
  CHECK(world.calls("a") == 1);
  CHECK(world.calls("b") == 1);
  CHECK(reported.size() == 3);
  CHECK(world.disk.entries.empty());
}

TEST_CASE("DurableTimers: an alarm that was lost is set again by the next change") {
  World world;
  world.set("a", 10s);
  world.host.evict();
  world.disk.alarm.reset();
  world.set("b", 1h);
  world.sim.advance(10s);
  CHECK(world.calls("a") == 1);
  CHECK(world.calls("b") == 0);
}

TEST_CASE(
    "DurableTimers: an alarm that is overdue because the host has lost it is set again, to another time") {
  Sim sim;
  MemoryDisk disk;
  MemoryStorage storage(disk);  // without a host that calls the alarm's handler
  const auto set = [&](std::string name, Duration in) {
    DurableTimers timers(sim.reactor(), storage, [](DurableTimer) -> Task<> { co_return; });
    REQUIRE(sim.run(timers.set(std::move(name), sim.backend().system_now() + in)));
  };
  set("a", 10s);
  const std::optional<SystemTime> first = disk.alarm;
  set("b", 20s);
  CHECK(disk.alarm == first);
  sim.advance(1min);
  set("c", 1h);
  CHECK(disk.alarm == sim.backend().system_now());
}

namespace {

// Sets and cancels timers as a client would that tries again after a failure, with kills in between, and
// checks the promises.
struct Game {
  Game(World& w, int n) : world(w), count(n) {}

  // One client's operations, in order. Repeats each until it has succeeded.
  Task<> client(int id) {
    for (int round = 0; round < count; ++round) {
      const std::string name = "c" + std::to_string(id) + "-" + std::to_string(round % 3);
      const bool cancels = round % 4 == 3;
      const SystemTime due = world.now() + Duration(1ms) * (1 + (id * 7 + round * 13) % 40);
      promised.erase(name);
      for (;;) {
        Result<> done = co_await operation(cancels, name, due).result();
        if (done) break;
        co_await sleep(1ms);
      }
      if (cancels) cancelled[name] = world.receiver.seen[name].size();
      if (!cancels) {
        promised[name] = due;
        cancelled.erase(name);
      }
      co_await sleep(1ms);
    }
    ++finished;
  }

  // Runs in the object, and dies with it.
  Task<> operation(bool cancels, std::string name, SystemTime due) {
    if (!scope) scope.emplace(world.sim.reactor(), nullptr);
    JoinHandle<void> handle =
        scope->spawn_joinable([this, cancels, name, due]() -> Task<> { return change(cancels, name, due); });
    co_await std::move(handle).join();
  }
  Task<> change(bool cancels, std::string name, SystemTime due) {
    if (!cancels) {
      co_await world.timers().set(name, due, name);
      co_return;
    }
    bool there = co_await world.timers().cancel(name);
    (void)there;
  }

  void kill() {
    scope.reset();
    world.host.evict();
    ++kills;
  }

  // Every promised timer has fired, at or after its time; a cancelled one is never fired afterwards.
  void check() {
    for (const auto& [name, due] : promised) {
      bool fired = false;
      for (const auto& [key, firing] : world.receiver.seen[name]) fired = fired || firing.due == due;
      INFO(name << " after " << kills << " kills");
      CHECK(fired);
    }
    CHECK(world.receiver.early == 0);
    CHECK(world.disk.entries.empty());
    CHECK_FALSE(world.disk.alarm);
  }

  World& world;
  int count;
  int finished = 0;
  int kills = 0;
  std::map<std::string, SystemTime> promised;
  std::map<std::string, std::size_t> cancelled;
  std::optional<Scope> scope;
};

}  // namespace

// The object dies at its n-th step, for every n: before or after an operation of the storage takes place.
TEST_CASE("DurableTimers: killed at each operation of the storage, no timer is lost or early") {
  const Duration latency = GENERATE(Duration(), Duration(2ms));
  int most = 0;
  for (int kill_at = 1;; ++kill_at) {
    int steps = 0;
    bool dead = false;
    World* current = nullptr;
    World world({.read_latency = latency,
                 .write_latency = latency,
                 .goes_on =
                     [&] {
                       if (dead) return false;
                       dead = ++steps == kill_at;
                       if (dead) current->sim.reactor().wake();
                       return !dead;
                     }},
                {.batch_max = 3});
    current = &world;
    Game game(world, 6);
    Scope clients(world.sim.reactor());
    for (int id = 0; id < 2; ++id) clients.spawn(game.client(id));
    for (int turn = 0; turn < 4000; ++turn) {
      world.sim.advance(Duration::nanoseconds(500'000));
      if (dead) {
        game.kill();
        dead = false;
        steps = -1'000'000;
      }
    }
    world.sim.advance(1h);
    CHECK(game.finished == 2);
    game.check();
    most = kill_at;
    if (steps >= 0) break;  // the game was over before
  }
  CHECK(most > 20);
}

TEST_CASE("DurableTimers: 10,000 timers through random kills and a storage that fails") {
  const std::uint64_t seed = GENERATE(1u, 2u);
  World world({.read_latency = 1ms, .write_latency = 3ms, .fail_one_in = 40}, {}, Seed{seed});
  world.receiver.fails = [&](const DurableTimer&) { return world.sim.reactor().random().one_in(20); };
  world.receiver.takes = 2ms;
  Random random(seed);
  Game game(world, 200);
  Scope clients(world.sim.reactor());
  for (int id = 0; id < 50; ++id) clients.spawn(game.client(id));
  while (game.finished < 50 || game.kills < 300) {
    world.sim.advance(Duration::nanoseconds(static_cast<std::int64_t>(random.up_to(20'000'000))));
    game.kill();
    REQUIRE(game.kills < 20'000);
  }
  world.sim.advance(24h);
  game.check();
}
