// The Stream contract over TLS: over pipes that yield a few bytes at a time, a ragged network, and sockets.

#include <unistd.h>

#include <fstream>
#include <list>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>

#include "support/read_and_write.h"
#include "support/socket_streams.h"
#include "support/stream_contract.h"
#include "support/tls_streams.h"
#include "support/upgrades.h"

using namespace escapement;
using namespace escapement::test;

namespace {

std::vector<test::StreamKind> over_pipes(TlsVersion version) {
  std::vector<test::StreamKind> kinds;
  // A record's head is 5 bytes: it comes byte by byte, in two halves, whole, and with what follows.
  for (const std::size_t size : {1, 3, 5, 6, 31}) {
    kinds.push_back(test::tls_over(
        test::pipe_streams("pipe, reads of " + std::to_string(size), {.read_max = size}), version));
  }
  kinds.push_back(test::tls_over(test::pipe_streams("pipe", {}), version));
  return kinds;
}

// Returns how much of this process is in memory.
std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("TLS 1.3 over pipes keeps the Stream contract however little a read yields") {
  test::check_stream_contract(over_pipes(TlsVersion::tls13));
}

TEST_CASE("TLS 1.2 over pipes keeps the Stream contract however little a read yields") {
  test::check_stream_contract(over_pipes(TlsVersion::tls12));
}

TEST_CASE("TLS over networks keeps the Stream contract") {
  std::vector<test::StreamKind> kinds;
  const SimNetworkOptions ragged{.latency = 2ms, .jitter = 5ms, .buffer = 3000, .chunk_max = 64};
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    kinds.push_back(test::tls_over(test::sim_streams("sim, ragged", Seed{4}, ragged), version));
    for (const test::StreamKind& kind : test::socket_streams())
      kinds.push_back(test::tls_over(kind, version));
  }
  test::check_stream_contract(kinds);
}

TEST_CASE("upgrade: what comes behind the head belongs to the new protocol, over TLS") {
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    test::check_upgrades(over_pipes(version));
    std::vector<test::StreamKind> kinds;
    for (const test::StreamKind& kind : test::socket_streams())
      kinds.push_back(test::tls_over(kind, version));
    test::check_upgrades(kinds);
  }
}

TEST_CASE("TLS: an idle connection gives back the memory of large records, and loses nothing by that") {
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    const std::unique_ptr<StreamWorld> world = tls_over(sim_streams("sim", Seed{6}, {}), version).make();
    auto run = [](StreamWorld& world) -> Task<> {
      constexpr std::size_t count = 40;
      const std::string large = sample(40'000);
      std::list<StreamPair> pairs;
      for (std::size_t i = 0; i < count; ++i) pairs.push_back(co_await world.open());
      for (int round = 0; round < 3; ++round) {
        Scope scope(co_await this_reactor);
        std::list<JoinHandle<std::string>> reads;
        for (StreamPair& pair : pairs) {
          reads.push_back(scope.spawn_joinable(read_exactly(*pair.first, large.size())));
          reads.push_back(scope.spawn_joinable(read_exactly(*pair.second, large.size())));
        }
        co_await sleep(100ms);
        const std::size_t before = resident_bytes();
        co_await sleep(3s);
        // In each direction's 16 KiB, 12 are whole pages behind the beginning, 8 at the least.
        CHECK(resident_bytes() + 4 * count * 8 * KiB <= before);
        for (StreamPair& pair : pairs) {
          co_await pair.first->write(as_bytes(large));
          co_await pair.second->write(as_bytes(large));
        }
        for (JoinHandle<std::string>& read : reads) {
          std::string got = co_await std::move(read).join();
          CHECK((got == large));
        }
      }
    };
    CHECK(outcome_text(world->reactor().run(run(*world))) == "");
  }
}
