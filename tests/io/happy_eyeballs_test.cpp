// Happy Eyeballs in simulated time: which address is tried when, to the millisecond.

#include <catch2/catch_test_macros.hpp>

#include <cerrno>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/scope.h>
#include <escapement/io/happy_eyeballs.h>
#include <escapement/io/sim/resolver.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

using Addresses = std::vector<std::string>;

// The fate of an attempt: what happens to it, and after how long.
struct Fate {
  enum Kind { hangs, fails, succeeds } kind = hangs;
  Duration after;
  int number = 0;  // the system's, if the failure has one
};

struct World {
  Sim sim;
  SimResolver resolver;
  HappyEyeballsOptions options;
  std::map<std::string, Fate> fates;
  std::string log;  // "0:a 250:b"
  int under_way = 0;
  int under_way_at_success = -1;

  Duration limit = 10s;

  struct Alive {
    explicit Alive(int& c) : count(c) { ++count; }
    ~Alive() { --count; }
    int& count;
  };

  static Task<std::unique_ptr<Stream>> attempt(World& world, SocketAddress address) {
    const std::string host = address.host_text();
    if (!world.log.empty()) world.log += ' ';
    world.log += std::to_string(world.sim.elapsed().count() / 1'000'000) + ':' + host;
    const Alive alive(world.under_way);
    const Fate fate = world.fates[host];
    const Duration length = fate.kind == Fate::hangs ? Duration::max() : fate.after;
    if (length > Duration()) co_await sleep(length);
    if (fate.number != 0) co_return Error::from_errno(fate.number, host).nothing_sent();
    if (fate.kind == Fate::fails) co_return Error(Errc::unavailable, host + " refuses").nothing_sent();
    PipeEnds ends = pipe();
    co_return std::move(ends.first);
  }

  // Connects and returns the log with the outcome: "0:::1 =5" or "... !error".
  std::string connect(std::string host = "a.test") {
    ConnectToAddress by = [this](SocketAddress address) { return attempt(*this, address); };
    Result<std::unique_ptr<Stream>> stream =
        sim.run(connect_by_happy_eyeballs(resolver, by, std::move(host), 80, limit, options));
    CHECK(under_way == 0);
    const std::string at = std::to_string(sim.elapsed().count() / 1'000'000);
    return log + (stream ? " =" + at : " !" + at + ' ' + to_string(stream.error()));
  }
  void v6(Addresses addresses, Duration delay = Duration()) {
    resolver.set("a.test", AddressFamily::v6, SimAnswer(std::move(addresses), delay));
  }
  void v4(Addresses addresses, Duration delay = Duration()) {
    resolver.set("a.test", AddressFamily::v4, SimAnswer(std::move(addresses), delay));
  }
  void succeeds(const std::string& host, Duration after = 5ms) { fates[host] = {Fate::succeeds, after, 0}; }
  void fails(const std::string& host, Duration after = Duration(), int number = 0) {
    fates[host] = {Fate::fails, after, number};
  }
};

}  // namespace

TEST_CASE("happy eyeballs: the families take turns, 250 ms apart") {
  World world;
  world.v6({"::1", "::2"});
  world.v4({"10.0.0.1"});
  world.succeeds("::2");
  CHECK(world.connect() == "0:::1 250:10.0.0.1 500:::2 =505");
}

TEST_CASE("happy eyeballs: the next attempt begins at once when the last one fails") {
  World world;
  world.v6({"::1", "::2"});
  world.v4({"10.0.0.1", "10.0.0.2"});
  world.fails("::1", 100ms);
  world.fails("10.0.0.1");
  world.succeeds("10.0.0.2");
  CHECK(world.connect() == "0:::1 100:10.0.0.1 100:::2 350:10.0.0.2 =355");
}

TEST_CASE("happy eyeballs: an earlier attempt may still win, and the others are destroyed") {
  World world;
  world.v6({"::1"});
  world.v4({"10.0.0.1"});
  world.succeeds("::1", 300ms);
  world.succeeds("10.0.0.1", 100ms);
  CHECK(world.connect() == "0:::1 250:10.0.0.1 =300");
}

TEST_CASE("happy eyeballs: IPv4 waits 50 ms for the answer for IPv6") {
  World world;
  world.v4({"10.0.0.1"}, 20ms);
  world.v6({"::1"}, 70ms);
  world.succeeds("::1");
  CHECK(world.connect() == "70:::1 =75");  // within the delay: IPv6 is first
}

TEST_CASE("happy eyeballs: after 50 ms IPv4 begins, and late IPv6 addresses join in") {
  World world;
  world.v4({"10.0.0.1", "10.0.0.2"}, 20ms);
  world.v6({"::1"}, 100ms);
  world.succeeds("10.0.0.2");
  CHECK(world.connect() == "70:10.0.0.1 320:::1 570:10.0.0.2 =575");
}

TEST_CASE("happy eyeballs: an IPv6 address that comes after all others have failed is tried at once") {
  World world;
  world.v4({"10.0.0.1"});
  world.v6({"::1"}, 3s);
  world.fails("10.0.0.1", 10ms);
  world.succeeds("::1");
  CHECK(world.connect() == "50:10.0.0.1 3000:::1 =3005");
}

TEST_CASE("happy eyeballs: without IPv6 addresses IPv4 does not wait") {
  World world;
  world.v4({"10.0.0.1"}, 20ms);
  world.succeeds("10.0.0.1");
  CHECK(world.connect() == "20:10.0.0.1 =25");
  World failing;
  failing.v4({"10.0.0.1"}, 10ms);
  SimAnswer failure({}, 30ms);
  failure.fault = Fault::dns_server_failure;
  failing.resolver.set("a.test", AddressFamily::v6, failure);
  failing.succeeds("10.0.0.1");
  CHECK(failing.connect() == "30:10.0.0.1 =35");
}

TEST_CASE("happy eyeballs: IPv6 does not wait for IPv4") {
  World world;
  world.v6({"::1"}, 10ms);
  world.v4({"10.0.0.1"}, Duration::max());
  world.succeeds("::1");
  CHECK(world.connect() == "10:::1 =15");
}

TEST_CASE("happy eyeballs: several IPv6 addresses may come first") {
  World world;
  world.options.first_family_count = 2;
  world.v6({"::1", "::2", "::3"});
  world.v4({"10.0.0.1", "10.0.0.2"});
  world.succeeds("10.0.0.2");
  CHECK(world.connect() == "0:::1 250:::2 500:10.0.0.1 750:::3 1000:10.0.0.2 =1005");
}

TEST_CASE("happy eyeballs: another attempt delay, of at least 10 ms") {
  World world;
  world.options.attempt_delay = 100ms;
  world.v4({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.succeeds("10.0.0.3");
  CHECK(world.connect() == "0:10.0.0.1 100:10.0.0.2 200:10.0.0.3 =205");
  World hasty;
  hasty.options.attempt_delay = 1ms;
  hasty.v4({"10.0.0.1", "10.0.0.2"});
  hasty.succeeds("10.0.0.2");
  CHECK(hasty.connect() == "0:10.0.0.1 10:10.0.0.2 =15");
}

TEST_CASE("happy eyeballs: where every attempt fails, the error is that of the first failure") {
  World world;
  world.v6({"::1"});
  world.v4({"10.0.0.1"});
  world.fails("::1", 300ms);
  world.fails("10.0.0.1", 10ms);
  CHECK(world.connect() == "0:::1 250:10.0.0.1 !300 unavailable: 10.0.0.1 refuses");
}

TEST_CASE("happy eyeballs: that this machine has no IPv6 is not what is wrong with the host") {
  World world;
  world.v6({"::1"});
  world.v4({"10.0.0.1", "10.0.0.2"});
  world.fails("::1", Duration(), ENETUNREACH);
  world.fails("10.0.0.1", 10ms);
  world.fails("10.0.0.2", Duration(), ENETUNREACH);
  CHECK(world.connect() == "0:::1 0:10.0.0.1 10:10.0.0.2 !10 unavailable: 10.0.0.1 refuses");
  World alone;
  alone.v6({"::1"});
  alone.fails("::1", Duration(), ENETUNREACH);
  CHECK(alone.connect().starts_with("0:::1 !0 unavailable: ::1: "));
}

TEST_CASE("happy eyeballs: a literal address is the only one") {
  World world;
  world.succeeds("::5");
  CHECK(world.connect("::5") == "0:::5 =5");
  CHECK(world.resolver.questions() == 0);
}

TEST_CASE("happy eyeballs: a name without addresses") {
  World world;
  CHECK(world.connect() == " !0 not_found: resolve a.test: no such host");
  World failing;
  SimAnswer failure;
  failure.fault = Fault::dns_refused;
  failing.resolver.set("a.test", AddressFamily::v4, failure);
  CHECK(failing.connect() == " !0 unavailable: resolve a.test: the server refused to answer");
}

TEST_CASE("happy eyeballs: limits: of the look-up, and of the whole") {
  World silent;
  silent.v4({"10.0.0.1"}, Duration::max());
  silent.v6({"::1"}, Duration::max());
  CHECK(silent.connect() == " !5000 timed_out: resolve a.test: no answer within 5s");
  World short_of_time;
  short_of_time.limit = 1s;
  short_of_time.v4({"10.0.0.1"}, Duration::max());
  CHECK(short_of_time.connect() == " !1000 timed_out: resolve a.test: no answer within 1s");
  World hanging;
  hanging.limit = 600ms;
  hanging.v4({"10.0.0.1", "10.0.0.2"});
  CHECK(hanging.connect() ==
        "0:10.0.0.1 250:10.0.0.2 !600 timed_out: connect to a.test:80 (10.0.0.1:80 and 1 "
        "more): no connection within 600ms");
  // A look-up that never ends does not keep the failure of the attempts.
  World half;
  half.v4({"10.0.0.1"});
  half.v6({"::1"}, Duration::max());
  half.fails("10.0.0.1");
  CHECK(half.connect() == "50:10.0.0.1 !5000 unavailable: 10.0.0.1 refuses");
}

TEST_CASE("happy eyeballs: cancelled, nothing goes on") {
  World world;
  world.v6({"::1"});
  world.v4({"10.0.0.1"});
  Scope scope(world.sim.reactor());
  auto connect = [](World& world) -> Task<> {
    ConnectToAddress by = [&world](SocketAddress address) { return World::attempt(world, address); };
    std::unique_ptr<Stream> stream =
        co_await connect_by_happy_eyeballs(world.resolver, by, "a.test", 80, 10s, world.options);
    (void)stream;
  };
  scope.spawn(connect(world));
  world.sim.advance(300ms);
  CHECK(world.under_way == 2);
  scope.cancel();
  CHECK(world.under_way == 0);
  world.sim.advance(1s);
  CHECK(world.log == "0:::1 250:10.0.0.1");
}

TEST_CASE("ResolvingNetwork: a simulated network by name and address") {
  Sim sim;
  SimResolver resolver;
  resolver.set("a.test", AddressFamily::v6, SimAnswer({"::1"}));
  resolver.set("a.test", AddressFamily::v4, SimAnswer({"10.0.0.1"}));
  SimFaults dead;
  dead.black_hole = true;
  sim.network().set_faults("::1", dead);
  ResolvingNetwork network(resolver, sim.network());
  std::unique_ptr<Listener> listener = *network.listen("10.0.0.1:80");
  Result<std::unique_ptr<Stream>> stream = sim.run(network.connect("a.test", 80));
  REQUIRE(stream);
  CHECK((*stream)->peer() == "10.0.0.1:80");
  CHECK(sim.elapsed() == 250ms);
  Result<std::unique_ptr<Stream>> refused = sim.run(network.connect_within(1s, "a.test", 81));
  CHECK(refused.error().limit() == TimeLimit::connect);  // one refuses, and the other says nothing
  CHECK(sim.elapsed() == 1250ms);
  CHECK(sim.run(network.connect("other.test", 80)).error().fault() == Fault::no_such_host);
}

TEST_CASE("happy eyeballs: a resolver that succeeds without an address has found none") {
  class Hollow final : public Resolver {
   public:
    Task<Resolved> lookup(std::string, std::uint16_t port, AddressFamily family) override {
      Resolved found;
      if (family == AddressFamily::v4 && has_v4)
        found.addresses.push_back(*SocketAddress::literal("10.0.0.1", port));
      co_return std::move(found);
    }
    bool has_v4 = false;
  };
  Hollow resolver;
  World world;
  world.succeeds("10.0.0.1");
  const ConnectToAddress by = [&](SocketAddress address) { return World::attempt(world, address); };
  Result<std::unique_ptr<Stream>> none =
      world.sim.run(connect_by_happy_eyeballs(resolver, by, "a.test", 80, 10s, world.options));
  REQUIRE(!none);
  CHECK(to_string(none.error()) == "not_found: resolve a.test: the name has no address");
  CHECK(none.error().fault() == Fault::no_address);
  CHECK(!none.error().maybe_sent());
  const Result<std::vector<SocketAddress>> addresses = world.sim.run(resolver.resolve("a.test", 80));
  REQUIRE(!addresses);
  CHECK(addresses.error().fault() == Fault::no_address);
  resolver.has_v4 = true;
  CHECK(world.sim.run(connect_by_happy_eyeballs(resolver, by, "a.test", 80, 10s, world.options)));
  CHECK(world.sim.run(resolver.resolve("a.test", 80))->size() == 1);
}

namespace {

// A host that has only those addresses of its own: the first of a destination's family is its source.
SourceAddress host_with(Addresses own) {
  return [own](const SocketAddress& destination) -> std::optional<SocketAddress> {
    for (const std::string& each : own) {
      const std::optional<SocketAddress> address = SocketAddress::literal(each, 0);
      if (address->family() == destination.family()) return address;
    }
    return std::nullopt;
  };
}

}  // namespace

TEST_CASE("happy eyeballs: a host without IPv6 tries IPv4 first, and IPv6 last") {
  World world;
  world.options.source_address = host_with({"192.0.2.9"});
  world.v6({"2001:db8::1", "2001:db8::2"});
  world.v4({"10.0.0.1", "10.0.0.2"});
  world.succeeds("2001:db8::2");
  CHECK(world.connect() == "0:10.0.0.1 250:2001:db8::1 500:10.0.0.2 750:2001:db8::2 =755");
}

TEST_CASE("happy eyeballs: addresses are sorted within their family, and the best one's is first") {
  World world;
  world.options.source_address = host_with({"2001:db8:5::9", "192.0.2.9"});
  world.v6({"2002::1", "2001:db8:5::1"});
  world.v4({"10.0.0.1"});
  world.succeeds("2002::1");
  CHECK(world.connect() == "0:2001:db8:5::1 250:10.0.0.1 500:2002::1 =505");
}

TEST_CASE("happy eyeballs: several of the first family, which is IPv4 here") {
  World world;
  world.options.source_address = host_with({"fd00::9", "192.0.2.9"});
  world.options.first_family_count = 2;
  world.v6({"2001:db8::1"});
  world.v4({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.succeeds("10.0.0.3");
  CHECK(world.connect() == "0:10.0.0.1 250:10.0.0.2 500:2001:db8::1 750:10.0.0.3 =755");
}

TEST_CASE("happy eyeballs: late addresses are sorted among those that are left") {
  World world;
  world.options.source_address = host_with({"2001:db8:5::9", "192.0.2.9"});
  world.v4({"10.0.0.1", "10.0.0.2"}, 20ms);
  world.v6({"2002::1", "2001:db8:5::1"}, 100ms);
  world.succeeds("2002::1");
  CHECK(world.connect() == "70:10.0.0.1 320:2001:db8:5::1 570:10.0.0.2 820:2002::1 =825");
}
