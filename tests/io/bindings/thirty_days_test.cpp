// The scenario of 30 days in simulated time. Its trace is that of workerd
// (tests/wasm_glue/bindings/one_clock_test.mjs).

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/bindings/memory_durable_object.h>
#include <escapement/io/bindings/memory_kv.h>
#include <escapement/io/bindings/memory_queue.h>
#include <escapement/io/bindings/memory_response_cache.h>
#include <escapement/io/sim/sim.h>

#include "support/thirty_days.h"

using namespace escapement;

TEST_CASE("Bindings: 30 days of a Worker in simulated time") {
  Sim sim;
  test::ThirtyDays days;
  MemoryKv kv;
  MemoryResponseCache cache;
  MemoryQueue jobs(sim.reactor(),
                   [&](QueueBatch& batch) -> Task<> { return days.on_batch(kv, cache, batch); });
  MemoryDisk disk;
  MemoryDurableObject object(sim.reactor(), disk, [&](Reactor& reactor, DurableStorage& storage) {
    return std::unique_ptr<DurableObject>(std::make_unique<test::ThirtyDays::Object>(reactor, storage, days));
  });
  Scope scope(sim.reactor(), nullptr);
  scope.spawn(run_cron(test::ThirtyDays::cron, [&](CronEvent event) -> Task<> {
    return days.on_cron(kv, cache, jobs, std::move(event));
  }));
  REQUIRE(sim.run(object.fetch(http::get("http://object/"))));
  for (int day = 0; day < 30; ++day) {
    sim.advance(24h);
    object.evict();
  }
  const std::string& trace = days.trace();
  CHECK(
      trace.starts_with("21600 report 1 at 2026-01-01T06:00:00.000Z\n21600 before it no page\n21690 limited\n"
                        "25295 job 1#1 has its report\n25295 there is page 1, aged 3695\n"));
  CHECK(trace.find("old one") == trace.npos);
  CHECK(trace.find("misses") == trace.npos);
  CHECK(trace.find("2592000 report 120") != trace.npos);
  CHECK(trace.find("before it page") == trace.npos);
  CHECK(trace.find("job 8#1 has its report\n176495 there is no page\n") != trace.npos);
  INFO(days.hash());
  CHECK(days.hash() == test::ThirtyDays::whole);
}
