// MemoryObjectStore: the contract of ObjectStore, and faults.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/memory_object_store.h>
#include <escapement/io/sim/sim.h>

#include "support/binding_contracts.h"

using namespace escapement;

TEST_CASE("ObjectStore: the contract, in memory") {
  Sim sim;
  MemoryObjectStore store;
  Result<std::string> wrong = sim.run(test::object_store_contract(store));
  REQUIRE(wrong);
  CHECK(*wrong == "");
}

TEST_CASE("MemoryObjectStore: latency and faults, from the seed") {
  Sim sim(Seed{3});
  MemoryObjectStore store({.latency = 10ms, .fail_one_in = 4});
  int failures = 0;
  for (int i = 0; i < 400; ++i) {
    Result<std::optional<ObjectInfo>> put = sim.run(store.put("k", "v"));
    if (put) continue;
    ++failures;
    CHECK(put.error() == Errc::unavailable);
    CHECK_FALSE(put.error().maybe_sent());
  }
  CHECK(failures > 60);
  CHECK(failures < 140);
  CHECK(sim.elapsed() == 4s);
}
