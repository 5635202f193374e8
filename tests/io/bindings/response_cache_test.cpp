// MemoryResponseCache: the contract of ResponseCache, freshness in simulated time, limits and faults.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/memory_response_cache.h>
#include <escapement/io/sim/sim.h>

#include "support/platform_contracts.h"

using namespace escapement;

namespace {

const char* const page = "http://cached.example/page";

std::string kept(Sim& sim, ResponseCache& cache) {
  return *sim.run(test::kept_in(cache, test::url_of(page)));
}

http::Response with(std::string_view name, std::string_view value) {
  http::Response response(200, "body");
  response.headers.set(name, value);
  return response;
}

}  // namespace

TEST_CASE("ResponseCache: the contract, in memory") {
  Sim sim;
  MemoryResponseCache cache;
  const Result<std::string> wrong = sim.run(test::cache_contract(cache));
  REQUIRE(wrong);
  CHECK(*wrong == "");
}

TEST_CASE("MemoryResponseCache: a response is fresh for as long as it says, and no longer") {
  Sim sim;
  MemoryResponseCache cache;
  struct Case {
    const char* name;
    std::string value;
    Duration fresh;
  };
  const std::vector<Case> cases = {{"Cache-Control", "max-age=60", 60s},
                                   {"Cache-Control", "public , Max-Age=\"60\"", 60s},
                                   {"Cache-Control", "max-age=60, s-maxage=120", 120s},
                                   {"X-None", "", 2h}};
  for (const Case& each : cases) {
    INFO(each.value);
    REQUIRE(sim.run(cache.put(test::url_of(page), with(each.name, each.value))));
    sim.advance(each.fresh - 1ms);
    CHECK(kept(sim, cache) == "200 body");
    sim.advance(1ms);
    CHECK(kept(sim, cache) == "nothing");
  }
  REQUIRE(sim.run(cache.put(test::url_of(page),
                            with("Expires", (sim.reactor().backend().system_now() + 60s).http_date()))));
  sim.advance(58s);
  CHECK(kept(sim, cache) == "200 body");
  sim.advance(2s);
  CHECK(kept(sim, cache) == "nothing");
  for (const char* const value : {"max-age=0", "no-cache", "max-age=5, no-store"}) {
    REQUIRE(sim.run(cache.put(test::url_of(page), with("Cache-Control", value))));
    CHECK(kept(sim, cache) == "nothing");
  }
  REQUIRE(sim.run(cache.put(test::url_of(page), with("Expires", "0"))));
  CHECK(kept(sim, cache) == "nothing");
}

TEST_CASE("MemoryResponseCache: Age counts on from the response's own") {
  Sim sim;
  MemoryResponseCache cache;
  http::Response response = with("Cache-Control", "max-age=60");
  response.headers.set("Age", "50");
  REQUIRE(sim.run(cache.put(test::url_of(page), std::move(response))));
  sim.advance(9s);
  CHECK(kept(sim, cache) == "200 body");
  sim.advance(1s);
  CHECK(kept(sim, cache) == "nothing");
}

TEST_CASE("MemoryResponseCache: ranges, those of none too") {
  Sim sim;
  MemoryResponseCache cache;
  REQUIRE(sim.run(cache.put(test::url_of(page), test::fresh("0123456789"))));
  const auto ranged = [&](const char* range) {
    Result<std::optional<http::Response>> found =
        sim.run(cache.match(test::url_of(page), http::Headers{{"Range", range}}));
    std::optional<http::Response> response = *std::move(found);
    return std::to_string(response->status) + ' ' + std::string(response->body.bytes()) + ' ' +
           std::string(response->headers.get_or("content-range", "-"));
  };
  CHECK(ranged("bytes=0-0") == "206 0 bytes 0-0/10");
  CHECK(ranged("bytes=7-") == "206 789 bytes 7-9/10");
  CHECK(ranged("bytes=7-99") == "206 789 bytes 7-9/10");
  CHECK(ranged("bytes=-3") == "206 789 bytes 7-9/10");
  CHECK(ranged("bytes=-99") == "206 0123456789 bytes 0-9/10");
  CHECK(ranged("bytes=10-") == "416  bytes */10");
  CHECK(ranged("bytes=5-4") == "416  bytes */10");
  CHECK(ranged("bytes=-0") == "416  bytes */10");
  for (const char* const other : {"items=0-1", "bytes=", "bytes=-", "bytes=0-1,3-4", "bytes=a-b"}) {
    CHECK(ranged(other) == "200 0123456789 -");
  }
}

TEST_CASE("MemoryResponseCache: a body that is too long, latency and faults") {
  Sim sim(Seed{3});
  MemoryResponseCache cache({.latency = 10ms, .fail_one_in = 4, .body_bytes_max = 10});
  CHECK(sim.run(cache.put(test::url_of(page), test::fresh("01234567890"))).error() == Errc::limit_exceeded);
  CHECK(sim.elapsed() == 0s);
  int failures = 0;
  for (int i = 0; i < 100; ++i) {
    const Result<bool> removed = sim.run(cache.remove(test::url_of(page)));
    if (removed) continue;
    ++failures;
    CHECK(removed.error() == Errc::unavailable);
  }
  CHECK(failures > 10);
  CHECK(failures < 45);
  CHECK(sim.elapsed() == 1s);
}
