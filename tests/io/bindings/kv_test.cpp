// MemoryKv: the contract of Kv, expiry in simulated time, writes that are seen late, faults.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/memory_kv.h>
#include <escapement/io/sim/sim.h>

#include "support/binding_contracts.h"

using namespace escapement;

TEST_CASE("Kv: the contract, in memory") {
  Sim sim;
  MemoryKv kv;
  Result<std::string> wrong = sim.run(test::kv_contract(kv));
  REQUIRE(wrong);
  CHECK(*wrong == "");
}

TEST_CASE("MemoryKv: a key is gone when it has expired, and not before") {
  Sim sim;
  MemoryKv kv;
  sim.advance(1ms);  // expiry counts in whole seconds, rounded up
  REQUIRE(sim.run(kv.put("k", "v", KvPut(60s))));
  sim.advance(60s);
  CHECK(*sim.run(kv.get("k")));
  sim.advance(999ms);
  CHECK_FALSE(*sim.run(kv.get("k")));
  CHECK(sim.run(kv.list())->names.empty());
  REQUIRE(sim.run(kv.put("k", "v")));
  sim.advance(24h * 365);
  CHECK(*sim.run(kv.get("k")));
}

TEST_CASE("MemoryKv: a write is seen after its propagation") {
  Sim sim;
  MemoryKv kv({.propagation = 60s});
  const auto seen = [&] {
    const Result<std::optional<KvEntry>> entry = sim.run(kv.get("k"));
    return *entry ? (*entry)->value : "none";
  };
  REQUIRE(sim.run(kv.put("k", "1")));
  sim.advance(30s);
  REQUIRE(sim.run(kv.put("k", "2")));
  CHECK(seen() == "none");
  sim.advance(30s);
  CHECK(seen() == "1");
  REQUIRE(sim.run(kv.remove("k")));
  sim.advance(30s);
  CHECK(seen() == "2");
  sim.advance(30s);
  CHECK(seen() == "none");
}

TEST_CASE("MemoryKv: latency and faults, from the seed") {
  Sim sim(Seed{3});
  MemoryKv kv({.latency = 10ms, .fail_one_in = 4});
  int failures = 0;
  for (int i = 0; i < 400; ++i) {
    Result<> put = sim.run(kv.put("k", "v"));
    if (put) continue;
    ++failures;
    CHECK(put.error() == Errc::unavailable);
    CHECK_FALSE(put.error().maybe_sent());
  }
  CHECK(failures > 60);
  CHECK(failures < 140);
  CHECK(sim.elapsed() == 4s);
}
