// That a seed says everything: the same seed is the same run.

#include <escapement/io/sim/sim.h>

#include <string>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>

#include "support/read_and_write.h"

using namespace escapement;
using test::as_room;
using test::read_all;
using test::sample;
using test::write_all;

namespace {

// A busy little world: echo servers and clients under jitter, ragged reads, resets and refusals.
Task<> echo(std::unique_ptr<Stream> stream) {
  std::string room(100, '\0');
  for (;;) {
    const std::size_t count = co_await stream->read(as_room(room));
    if (count == 0) co_return;
    co_await stream->write(as_bytes(std::string_view(room).substr(0, count)));
  }
}

Task<> serve(std::unique_ptr<Listener> listener) {
  Scope connections(co_await this_reactor, [](Error) {});
  for (;;) {
    std::unique_ptr<Stream> stream = co_await listener->accept();
    connections.spawn(echo(std::move(stream)));
  }
}

Task<> client(Network& network, int& finished) {
  Reactor& reactor = co_await this_reactor;
  for (int i = 0; i < 5; ++i) {
    const Duration pause = Duration(1ms) * static_cast<std::int64_t>(reactor.random().up_to(20));
    co_await sleep(pause);
    Result<std::unique_ptr<Stream>> stream = co_await network.connect("server", 7).result();
    if (!stream) continue;
    const std::string text = sample(500);
    auto both = all(write_all(**stream, text), read_all(**stream));
    Result<std::tuple<std::monostate, std::string>> done = co_await std::move(both).result();
    if (!done) continue;
    CHECK((std::get<1>(*done) == text));
    ++finished;
  }
}

struct Outcome {
  std::uint64_t hash = 0;
  std::string trace;
  int finished = 0;
  Duration took;
};

Outcome busy_world(Seed seed) {
  Sim sim(seed, {.latency = 3ms,
                 .jitter = 9ms,
                 .buffer = 300,
                 .chunk_max = 40,
                 .reset_one_in = 400,
                 .refuse_one_in = 10});
  Outcome outcome;
  sim.backend().on_trace([&](const SimTrace& line) {
    outcome.trace += std::string(line.what) + " " + std::to_string(line.at.nanoseconds()) + " " +
                     std::to_string(line.subject) + " " + std::to_string(line.amount) + "\n";
  });
  struct Body {
    static Task<> run(Sim& sim, int& finished) {
      std::unique_ptr<Listener> listener = co_await sim.network().listen("server:7");
      Scope servers(co_await this_reactor);
      servers.spawn(serve(std::move(listener)));
      Scope clients(co_await this_reactor);
      for (int i = 0; i < 10; ++i) clients.spawn(client(sim.network(), finished));
      co_await clients.join();
    }
  };
  CHECK(sim.run(Body::run(sim, outcome.finished)));
  outcome.hash = sim.backend().trace_hash();
  outcome.took = sim.elapsed();
  sim.advance(1min);
  CHECK(sim.network().connections() == 0);
  return outcome;
}

}  // namespace

TEST_CASE("the same seed is the same run, event by event; another seed is another") {
  std::vector<std::uint64_t> hashes;
  int finished = 0;
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
    INFO("seed " << seed);
    const Outcome one = busy_world(Seed{seed});
    const Outcome two = busy_world(Seed{seed});
    CHECK((one.trace == two.trace));
    CHECK(one.hash == two.hash);
    CHECK(one.took == two.took);
    CHECK(std::find(hashes.begin(), hashes.end(), one.hash) == hashes.end());
    hashes.push_back(one.hash);
    finished += one.finished;
  }
  CHECK(finished > 100);      // most come through,
  CHECK(finished < 15 * 50);  // and not all: the faults happen
}

TEST_CASE("a seed means the same on every platform") {
  // Natively and on wasm, g++ and clang. Changing the simulation's draws changes this number, and with it
  // the meaning of every seed noted elsewhere.
  CHECK(busy_world(Seed{1}).hash == 0x46814fc2bc734dd0);
}
