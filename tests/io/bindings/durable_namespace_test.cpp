// MemoryDurableNamespace: the contract that HostDurableNamespace keeps in workerd too; evictions, storage.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/memory_durable_namespace.h>
#include <escapement/io/sim/sim.h>

#include "support/durable_namespace_contract.h"

using namespace escapement;

namespace {

MakeDurableObject make_counted() {
  return [](Reactor&, DurableStorage& storage) { return std::make_unique<test::Counted>(storage); };
}

}  // namespace

TEST_CASE("DurableNamespace: the contract, in memory") {
  Sim sim;
  MemoryDurableNamespace objects(sim.reactor(), "counters", make_counted());
  const Result<std::string> wrong = sim.run(test::durable_namespace_contract(objects));
  REQUIRE(wrong);
  CHECK(*wrong == "");
  CHECK(objects.size() == 3);
}

TEST_CASE("MemoryDurableNamespace: ids are those of one namespace; new ones follow from the seed") {
  Sim sim(Seed{1});
  Sim same(Seed{1});
  MemoryDurableNamespace one(sim.reactor(), "one", make_counted());
  MemoryDurableNamespace other(same.reactor(), "other", make_counted());
  MemoryDurableNamespace twin(same.reactor(), "one", make_counted());
  const DurableId id = *one.id_from_name("a");
  CHECK(id == *twin.id_from_name("a"));
  CHECK_FALSE(id == *other.id_from_name("a"));
  CHECK(other.id_from_string(id.text()).error() == Errc::invalid_argument);
  CHECK(twin.id_from_string(id.text()));
  CHECK(*one.new_unique_id() == *twin.new_unique_id());
  CHECK(one.size() == 0);
}

TEST_CASE(
    "MemoryDurableNamespace: an object that is evicted fails what is in flight, and keeps its storage") {
  Sim sim;
  MemoryDurableNamespace objects(sim.reactor(), "counters", make_counted());
  const DurableId id = *objects.id_from_name("a");
  CHECK(*sim.run(test::object_answer(objects.get(id), "GET", "/count", "")) == "200 1 ");
  Result<http::Response> slow = Error(Errc::internal);
  Scope scope(sim.reactor());
  http::Service object = objects.get(id);
  const auto call = [&]() -> Task<> { slow = co_await object(http::get("http://object/slow")).result(); };
  scope.spawn(call);
  sim.advance(1s);
  objects.object(id).evict();
  sim.advance(1s);
  REQUIRE_FALSE(slow);
  CHECK(slow.error() == Errc::reset);
  CHECK(*sim.run(test::object_answer(objects.get(id), "GET", "/count", "")) == "200 2 ");
  CHECK(objects.disk(id).entries.size() == 1);
}
