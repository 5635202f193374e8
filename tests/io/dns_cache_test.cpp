// The cache of answers, and the table of fixed names, in simulated time.

#include <catch2/catch_test_macros.hpp>

#include <optional>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/dns_cache.h>
#include <escapement/io/fixed_resolver.h>
#include <escapement/io/sim/resolver.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

struct World {
  explicit World(DnsCacheOptions options = DnsCacheOptions()) {
    cache.emplace(sim.reactor(), source, options);
  }
  // The first address in text, or the error.
  std::string ask(const std::string& host, AddressFamily family = AddressFamily::v4) {
    Result<Resolved> found = sim.run(cache->lookup(host, 80, family));
    if (!found) return to_string(found.error());
    ttl = found->ttl;
    return found->addresses.front().text();
  }
  void answer(const std::string& host, SimAnswer answer) {
    source.set(host, AddressFamily::v4, std::move(answer));
  }

  Sim sim;
  SimResolver source;
  std::optional<CachingResolver> cache;
  Duration ttl;
};

}  // namespace

TEST_CASE("dns cache: an answer is kept for its TTL, and no longer") {
  World world;
  world.answer("a.test", SimAnswer({"10.0.0.1"}, 10ms, 30s));
  CHECK(world.ask("a.test") == "10.0.0.1:80");
  CHECK(world.ttl == 30s);
  world.answer("a.test", SimAnswer({"10.0.0.2"}, 10ms, 30s));
  world.sim.advance(30s - 1ns);
  CHECK(world.ask("A.Test") == "10.0.0.1:80");
  CHECK(world.ttl == 1ns);
  CHECK(world.source.questions() == 1);
  world.sim.advance(1ns);
  CHECK(world.ask("a.test") == "10.0.0.2:80");
  CHECK(world.source.questions() == 2);
}

TEST_CASE("dns cache: a long TTL is cut, one of zero is not kept") {
  DnsCacheOptions options;
  options.ttl_max = 1min;
  World world(options);
  world.answer("long.test", SimAnswer({"10.0.0.1"}, Duration(), 24h));
  world.answer("never.test", SimAnswer({"10.0.0.1"}, Duration(), Duration()));
  CHECK(world.ask("long.test") == "10.0.0.1:80");
  CHECK(world.ttl == 1min);
  world.sim.advance(1min);
  CHECK(world.ask("long.test") == "10.0.0.1:80");
  CHECK(world.source.questions() == 2);
  CHECK(world.ask("never.test") == "10.0.0.1:80");
  CHECK(world.ask("never.test") == "10.0.0.1:80");
  CHECK(world.source.questions() == 4);
  CHECK(world.cache->size() == 1);
}

TEST_CASE("dns cache: that there is no such name is kept for a while, a failure is not") {
  World world;
  CHECK(world.ask("none.test") == "not_found: resolve none.test: no such host");
  world.answer("none.test", SimAnswer({"10.0.0.1"}));
  world.sim.advance(5s - 1ns);
  CHECK(world.ask("none.test") == "not_found: resolve none.test: no such host");
  world.sim.advance(1ns);
  CHECK(world.ask("none.test") == "10.0.0.1:80");

  SimAnswer failure;
  failure.fault = Fault::dns_server_failure;
  world.answer("ill.test", failure);
  CHECK(world.ask("ill.test").starts_with("unavailable: "));
  world.answer("ill.test", SimAnswer({"10.0.0.2"}));
  CHECK(world.ask("ill.test") == "10.0.0.2:80");
}

TEST_CASE("dns cache: how long there is nothing the server says, up to a bound") {
  World world;
  SimAnswer nothing;
  const auto kept_for = [&](std::optional<Duration> said, Duration length) {
    nothing.negative_ttl = said;
    world.answer("a.test", nothing);
    world.cache->clear();
    CHECK(world.ask("a.test") == "not_found: resolve a.test: the name has no address");
    const std::uint64_t before = world.source.questions();
    if (length > Duration()) world.sim.advance(length - 1ns);
    world.ask("a.test");
    CHECK(world.source.questions() == before + (length > Duration() ? 0 : 1));
    world.sim.advance(1ns);
    world.ask("a.test");
    CHECK(world.source.questions() > before);
  };
  kept_for(60s, 60s);
  kept_for(1s, 1s);  // less than where nothing is said
  kept_for(std::nullopt, 5s);
  kept_for(24h, 5min);
  kept_for(Duration(), Duration());
}

TEST_CASE("dns cache: it does not grow beyond its bound") {
  DnsCacheOptions options;
  options.entries_max = 3;
  World world(options);
  for (int i = 0; i < 10; ++i) {
    const std::string host = std::to_string(i) + ".test";
    world.answer(host, SimAnswer({"10.0.0.1"}, Duration(), Duration(1s) * (10 + i)));
    CHECK(world.ask(host) == "10.0.0.1:80");
    CHECK(world.cache->size() <= 3);
  }
  CHECK(world.ask("9.test") == "10.0.0.1:80");
  CHECK(world.source.questions() == 10);
  world.cache->clear();
  CHECK(world.cache->size() == 0);

  options.entries_max = 0;
  World none(options);
  none.answer("a.test", SimAnswer({"10.0.0.1"}));
  CHECK(none.ask("a.test") == "10.0.0.1:80");
  CHECK(none.cache->size() == 0);
}

TEST_CASE("dns cache: one question for those who ask at the same time, whoever gives up") {
  World world;
  world.answer("a.test", SimAnswer({"10.0.0.1"}, 100ms));
  auto ask = [](World& world) -> Task<> {
    Result<Resolved> given_up =
        co_await with_timeout(50ms, world.cache->lookup("a.test", 80, AddressFamily::v4)).result();
    CHECK(given_up.error() == Errc::timed_out);
    Resolved found = co_await world.cache->lookup("a.test", 443, AddressFamily::v4);
    CHECK(found.addresses.front().text() == "10.0.0.1:443");
  };
  Result<> asked = world.sim.run(ask(world));
  CHECK(asked);
  CHECK(world.sim.elapsed() == 100ms);
  CHECK(world.source.questions() == 1);
}

TEST_CASE("dns cache: destroyed with questions under way") {
  World world;
  world.answer("a.test", SimAnswer({"10.0.0.1"}, Duration::max()));
  Result<Resolved> outcome = Resolved();
  auto ask = [](World& world, Result<Resolved>& outcome) -> Task<> {
    outcome = co_await world.cache->lookup("a.test", 80, AddressFamily::v4).result();
  };
  Scope scope(world.sim.reactor());
  scope.spawn(ask(world, outcome));
  world.sim.advance(1s);
  CHECK(outcome);
  world.cache.reset();
  world.sim.settle();
  REQUIRE(!outcome);
  CHECK(outcome.error() == Errc::cancelled);
}

TEST_CASE("hosts table: as /etc/hosts is written") {
  const HostsTable table = HostsTable::parse(
      "# a comment\n"
      "127.0.0.1\tlocalhost  Local.Test # behind\r\n"
      "::1 localhost\n"
      "fe80::1%lo0 link.test\n"
      "not-an-address some.test\n"
      "10.0.0.1\n"
      "10.0.0.2 last.test");
  CHECK(table.size() == 4);
  REQUIRE(table.find("LOCALHOST.") != nullptr);
  CHECK(table.find("localhost")->size() == 2);
  CHECK(table.find("local.test")->front().host_text() == "127.0.0.1");
  CHECK(table.find("link.test")->front().host_text() == "fe80::1");
  CHECK(table.find("last.test") != nullptr);
  CHECK(table.find("some.test") == nullptr);
  CHECK(HostsTable::parse("").size() == 0);
}

TEST_CASE("fixed resolver: knows its table and literal addresses, and nothing else") {
  Sim sim;
  FixedResolver resolver;
  CHECK(resolver.add("a.test", "10.0.0.1"));
  CHECK(resolver.add("a.test", "::1"));
  CHECK(resolver.add("v4.test", "10.0.0.2"));
  CHECK(resolver.add("x.test", "not an address").error() == Errc::invalid_argument);
  const auto ask = [&](const char* host, AddressFamily family) {
    Result<Resolved> found = sim.run(resolver.lookup(host, 443, family));
    return found ? found->addresses.front().text() : std::string(name(found.error().fault()));
  };
  CHECK(ask("A.test", AddressFamily::v4) == "10.0.0.1:443");
  CHECK(ask("a.test", AddressFamily::v6) == "[::1]:443");
  CHECK(ask("v4.test", AddressFamily::v6) == "no_address");
  CHECK(ask("other.test", AddressFamily::v4) == "no_such_host");
  CHECK(ask("10.1.1.1", AddressFamily::v4) == "10.1.1.1:443");
  CHECK(ask("10.1.1.1", AddressFamily::v6) == "no_address");
  Result<std::vector<SocketAddress>> both = sim.run(resolver.resolve("a.test", 80));
  REQUIRE(both);
  REQUIRE(both->size() == 2);
  CHECK(both->front().text() == "[::1]:80");
}
