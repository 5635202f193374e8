// ResponseCacheStore: the layer's contract, beside the other stores; what is its own: limits, faults, its
// end.

#include <escapement/middleware/cache/response_cache_store.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/memory_response_cache.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/cache/memory_cache_store.h>

#include "support/cache_store_contract.h"

using namespace escapement;
using namespace escapement::http;

namespace {

std::shared_ptr<ResponseCacheStore> store_on(
    std::shared_ptr<ResponseCache> cache, ResponseCacheStoreOptions options = ResponseCacheStoreOptions()) {
  return std::make_shared<ResponseCacheStore>(std::move(cache), std::move(options));
}

std::string contract_of(std::shared_ptr<CacheStore> store) {
  Sim sim;
  const Result<std::string> wrong = sim.run(test::cache_store_contract(std::move(store)));
  return wrong ? *wrong : to_string(wrong.error());
}

StoredHead head_for(std::string language) {
  StoredHead head(200, Headers{{"X", language}});
  head.varying.emplace_back("accept-language", std::move(language));
  return head;
}

Task<bool> keep(CacheStore& store, StoredHead head, std::string body) {
  std::unique_ptr<CacheStore::Writer> writer = co_await store.store("key", std::move(head), std::nullopt);
  bool done = co_await writer->write(body);
  if (done) done = co_await writer->commit();
  co_return done;
}

// A cache that is changed from outside in the midst of a put.
class Meddled final : public ResponseCache {
 public:
  Task<std::optional<Response>> match(Url url, Headers conditions) override {
    return inner.match(std::move(url), std::move(conditions));
  }
  Task<> put(Url url, Response response) override {
    co_await inner.put(std::move(url), std::move(response));
    if (--after == 0) co_await meddle();
  }
  Task<bool> remove(Url url) override { return inner.remove(std::move(url)); }

  MemoryResponseCache inner;
  int after = 0;
  std::function<Task<>()> meddle;
};

}  // namespace

TEST_CASE("CacheStore: the contract of the layer, in memory and in a ResponseCache") {
  CHECK(contract_of(std::make_shared<MemoryCacheStore>()) == "");
  CHECK(contract_of(store_on(std::make_shared<MemoryResponseCache>())) == "");
}

TEST_CASE("ResponseCacheStore: a response stays for as long as it is to be kept") {
  Sim sim;
  ResponseCacheStoreOptions options;
  options.keep = 100s;
  const auto store = store_on(std::make_shared<MemoryResponseCache>(), options);
  REQUIRE(*sim.run(keep(*store, head_for("de"), "eins")));
  sim.advance(60s);
  REQUIRE(*sim.run(keep(*store, head_for("en"), "one")));
  sim.advance(39s);
  CHECK(sim.run(store->find("key"))->size() == 2);
  sim.advance(1s);
  const Result<CacheStore::Found> left = sim.run(store->find("key"));
  REQUIRE(left);
  REQUIRE(left->size() == 1);
  CHECK((*left)[0]->headers.get_or("x", "") == "en");
  sim.advance(60s);
  CHECK(sim.run(store->find("key"))->empty());
}

TEST_CASE("ResponseCacheStore: the oldest variants go, and bodies that are too long are not stored") {
  Sim sim;
  ResponseCacheStoreOptions options;
  options.variants_max = 2;
  options.entry_bytes_max = 10;
  const auto store = store_on(std::make_shared<MemoryResponseCache>(), options);
  for (const char* const language : {"de", "en", "fr"})
    REQUIRE(*sim.run(keep(*store, head_for(language), language)));
  const Result<CacheStore::Found> found = sim.run(store->find("key"));
  REQUIRE(found->size() == 2);
  CHECK((*found)[0]->headers.get_or("x", "") == "en");
  const Result<std::optional<Body>> body = sim.run(store->open("key", (*found)[1]->id));
  REQUIRE(*body);
  CHECK_FALSE(*sim.run(keep(*store, head_for("de"), "eleven byte")));
  CHECK(*sim.run(store->store("key", head_for("de"), 11)) == nullptr);
  CHECK(sim.run(store->find("key"))->size() == 2);
}

TEST_CASE("ResponseCacheStore: what is dropped while another response is being stored stays dropped") {
  for (const int after : {1, 2}) {  // in the midst of the body's put, and of the list's
    Sim sim;
    const auto cache = std::make_shared<Meddled>();
    const auto store = store_on(cache);
    cache->meddle = [&store] { return store->remove("key", 0); };
    cache->after = after;
    CHECK_FALSE(*sim.run(keep(*store, head_for("de"), "eins")));
    CHECK(sim.run(store->find("key"))->empty());
    CHECK(*sim.run(keep(*store, head_for("de"), "zwei")));
    CHECK(sim.run(store->find("key"))->size() == 1);
  }
}

TEST_CASE("ResponseCacheStore: two objects on one cache share what it has") {
  Sim sim;
  const auto cache = std::make_shared<MemoryResponseCache>();
  const auto one = store_on(cache);
  const auto other = store_on(cache);
  ResponseCacheStoreOptions apart;
  apart.prefix = "https://cache.escapement.invalid/apart/";
  const auto third = store_on(cache, apart);
  REQUIRE(*sim.run(keep(*one, head_for("de"), "eins")));
  const Result<CacheStore::Found> found = sim.run(other->find("key"));
  REQUIRE(found->size() == 1);
  const std::uint64_t id = (*found)[0]->id;
  CHECK(*sim.run(other->open("key", id)));
  CHECK(sim.run(third->find("key"))->empty());
  REQUIRE(sim.run(other->remove("key", 0)));
  CHECK(sim.run(one->find("key"))->empty());
  CHECK_FALSE(*sim.run(one->open("key", id)));
}

TEST_CASE("ResponseCacheStore: a list that is damaged is empty, and is written anew") {
  Sim sim;
  const auto cache = std::make_shared<Meddled>();
  const auto store = store_on(cache);
  std::vector<Url> urls;
  REQUIRE(*sim.run(keep(*store, head_for("de"), "eins")));
  const std::string list =
      "https://cache.escapement.invalid/2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
  for (const char* const text : {"", "8:ESCLIST1", "8:ESCLIST1:0:2:", "8:ESCLIST10:99:1:2:3:", "999:"}) {
    Response damaged(200, text);
    damaged.headers.set("Cache-Control", "max-age=60");
    REQUIRE(sim.run(cache->inner.put(*Url::parse(list), std::move(damaged))));
    CHECK(sim.run(store->find("key"))->empty());
    CHECK(*sim.run(keep(*store, head_for("de"), "eins")));
    CHECK(sim.run(store->find("key"))->size() == 1);
  }
}

TEST_CASE("ResponseCacheStore: a cache that fails costs no request") {
  Sim sim(Seed{3});
  MemoryResponseCacheOptions options;
  options.fail_one_in = 2;
  const auto store = store_on(std::make_shared<MemoryResponseCache>(options));
  const test::CacheOrigin origin;
  const Service service = layered(Cache(store), origin);
  for (int i = 0; i < 200; ++i) {
    const Result<std::string> text = sim.run(test::cached_answer(service, "GET", "/page", Headers()));
    REQUIRE(text);
    CHECK(text->starts_with("200 body "));
  }
  CHECK(origin.calls() < 200);
}
