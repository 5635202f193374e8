// Balance: which upstream is chosen, in simulated time.

#include <escapement/middleware/client/balance.h>

#include <cmath>
#include <map>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/hedge.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;

namespace {

// Upstreams that take a time of their own to respond, or fail.
struct World {
  explicit World(Seed seed = Seed()) : sim(seed) {}

  Service upstreams() {
    return [this](Request request) -> Task<Response> {
      const std::string name = request.url.origin().substr(7);
      ++calls[name];
      order += name;
      last = request.url.text();
      if (times.contains(name)) co_await sleep(times[name]);
      if (broken == name) co_return Response(503);
      if (refusing == name) co_return Error(Errc::unavailable, "refused");
      co_return Response(200, "from " + name);
    };
  }
  void run(const Service& service, int count, Duration apart = 10ms) {
    Scope scope(sim.reactor(), nullptr);
    for (int i = 0; i < count; ++i) {
      scope.spawn([&service]() -> Task<> {
        const Answer answer = co_await ask(service, get("http://api/x?y=1"));
        (void)answer;
      });
      sim.advance(apart);
    }
    Result<> done = sim.run(scope.join());
    CHECK(done);
  }

  Sim sim;
  std::map<std::string, int> calls;
  std::map<std::string, Duration> times;
  std::string order;
  std::string last;
  std::string broken;
  std::string refusing;
};

std::vector<Url> hosts(const std::string& names) {
  std::vector<Url> urls;
  for (const char name : names) urls.push_back(*Url::parse(std::string("http://") + name));
  return urls;
}

BalanceOptions round_robin() {
  BalanceOptions options;
  options.rule = BalanceRule::round_robin;
  return options;
}

}  // namespace

TEST_CASE("balance: round robin takes turns, and passes by those that are out") {
  World world;
  BalanceOptions options = round_robin();
  options.ejection->consecutive_failures = 1;
  const Balance balance(hosts("abc"), options);
  const Service service = layered(balance, world.upstreams());
  world.run(service, 6);
  CHECK(world.order == "abcabc");
  world.broken = "b";
  world.run(service, 6);
  CHECK(world.order == "abcabcabcaca");
  CHECK(balance.ejected(1, world.sim.reactor().now()));
  world.broken.clear();
  world.sim.advance(30s);
  world.order.clear();
  world.run(service, 3);
  CHECK(world.order == "bca");
}

TEST_CASE("balance: the URL is the upstream's, with its path in front; the rest is the request's") {
  World world;
  std::string host_field = "none";
  const Service look = [&](Request request) -> Task<Response> {
    world.last = request.url.text();
    host_field = request.headers.get_or("Host", "removed");
    co_return Response(200);
  };
  const Service service = layered(Balance({*Url::parse("https://up:8443/base/")}), look);
  (void)world.sim.run(
      ask(service, Request("GET", *Url::parse("http://u:p@api/x?y=1"), Headers{{"Host", "api"}})));
  CHECK(world.last == "https://up:8443/base/x?y=1");
  CHECK(host_field == "removed");
}

TEST_CASE("balance: the slower upstream gets less, and what is idle is not forgotten") {
  World world;
  world.times = {{"a", 5ms}, {"b", 500ms}};
  const Service service = layered(Balance(hosts("ab")), world.upstreams());
  world.run(service, 2000);
  CHECK(world.calls["a"] > 1900);
  CHECK(world.calls["b"] >= 2);
  world.times["b"] = 1ms;
  world.times["a"] = 100ms;
  world.calls.clear();
  world.run(service, 4000);
  CHECK(world.calls["b"] > world.calls["a"]);
}

TEST_CASE("balance: equal upstreams get equal shares, within what two choices allow") {
  World world;
  for (const char* name : {"a", "b", "c", "d"}) world.times[name] = 20ms;
  const Service service = layered(Balance(hosts("abcd")), world.upstreams());
  world.run(service, 4000, 1ms);
  for (const char* name : {"a", "b", "c", "d"}) {
    CHECK(world.calls[name] > 900);
    CHECK(world.calls[name] < 1100);
  }
}

TEST_CASE("balance: draws follow from the seed") {
  const auto play = [](std::uint64_t seed) {
    World world(Seed{seed});
    const Service service = layered(Balance(hosts("abcde")), world.upstreams());
    world.run(service, 100);
    return world.order;
  };
  CHECK(play(1) == play(1));
  CHECK(play(1) != play(2));
}

TEST_CASE("balance: a request is in flight up to the end of its body") {
  World world;
  const Balance balance(hosts("a"));
  const Service service = layered(balance, world.upstreams());
  auto call = [&]() -> Task<> {
    Response response = co_await service(get("http://api/"));
    CHECK(balance.running(0) == 1);
    std::string body = co_await response.body.text(100);
    CHECK(balance.running(0) == 1);
  };
  CHECK(world.sim.run(call()));
  CHECK(balance.running(0) == 0);
  world.times["a"] = Duration(std::chrono::hours(1));
  {
    Scope scope(world.sim.reactor());
    scope.spawn(call);
    world.sim.settle();
    CHECK(balance.running(0) == 1);
  }
  CHECK(balance.running(0) == 0);
}

TEST_CASE("balance: the peak counts at once, and fades by 1/e in `decay`") {
  World world;
  world.times["a"] = 100ms;
  const Balance balance(hosts("a"));
  const Service service = layered(balance, world.upstreams());
  const auto now = [&] { return world.sim.reactor().precise_now(); };
  CHECK(balance.time(0, now()) == 1s);
  world.run(service, 1, Duration());
  const double kept = std::exp(-0.01);  // 100 ms of 10 s
  CHECK(std::abs(balance.time(0, now()).milliseconds() - 1000 * kept - 100 * (1 - kept)) < 0.1);
  world.times["a"] = 3s;
  world.run(service, 1, Duration());
  CHECK(balance.time(0, now()) == 3s);
  world.sim.advance(10s);
  CHECK(std::abs(balance.time(0, now()).milliseconds() - 3000 / std::exp(1.0)) < 0.1);
}

TEST_CASE("balance: one that refuses at once attracts no more, and is ejected") {
  World world;
  world.times = {{"a", 50ms}, {"b", 50ms}, {"c", 50ms}};
  world.refusing = "c";
  const Balance balance(hosts("abc"));
  const Service service = layered(Retry{}, balance, world.upstreams());
  world.run(service, 300);
  CHECK(world.calls["c"] <= 10);
  CHECK(world.calls["a"] > 100);
  CHECK(world.calls["b"] > 100);
}

TEST_CASE("balance: one that never responds attracts no more calls that are given up") {
  World world;
  world.times = {{"a", 20ms}, {"b", Duration(std::chrono::hours(1))}};
  BalanceOptions options;
  options.ejection.reset();
  const Balance balance(hosts("ab"), options);
  const Service service = layered(Timeout{1s}, balance, world.upstreams());
  world.run(service, 1200, 50ms);  // a minute
  CHECK(world.calls["b"] >= 1);
  CHECK(world.calls["b"] < 60);
  CHECK(world.calls["a"] > 1140);
  CHECK(balance.running(1) == 0);
}

TEST_CASE("balance: a call that is given up raises a time, and never lowers it or ejects") {
  World world;
  BalanceOptions options;
  options.ejection->consecutive_failures = 1;
  const Balance balance(hosts("ab"), options);
  const Balance one(hosts("b"));
  const auto now = [&] { return world.sim.reactor().precise_now(); };
  world.times["b"] = Duration(std::chrono::hours(1));
  world.run(layered(Timeout{10ms}, one, world.upstreams()), 1, Duration());
  CHECK(std::abs(one.time(0, now()).milliseconds() - 1000 * std::exp(-0.001)) < 0.1);
  world.run(layered(Timeout{3s}, one, world.upstreams()), 1, Duration());
  CHECK(one.time(0, now()) == 3s);
  world.times["a"] = world.times["b"];
  world.run(layered(Timeout{3s}, balance, world.upstreams()), 10, Duration());
  CHECK_FALSE(balance.ejected(0, now()));
  CHECK_FALSE(balance.ejected(1, now()));
}

TEST_CASE("balance: a failure that comes fast counts as the first time, without ejection too") {
  World world;
  world.refusing = "a";
  BalanceOptions options;
  options.ejection.reset();
  const Balance balance(hosts("a"), options);
  const Service service = layered(balance, world.upstreams());
  world.run(service, 1, Duration());
  world.sim.advance(10s);
  world.run(service, 1, Duration());
  CHECK(std::abs(balance.time(0, world.sim.reactor().precise_now()).milliseconds() - 1000) < 0.1);
}

TEST_CASE("balance: an outcome that was cancelled counts neither way") {
  Sim sim;
  std::vector<int> outcomes{503, 503, 503, 503, 0, 503};
  std::size_t at = 0;
  const Balance balance(hosts("ab"), round_robin());
  const Service service = layered(balance, [&](Request request) -> Task<Response> {
    if (request.url.host() == "b") co_return Response(200);
    const int status = outcomes[at++];
    if (status == 0) co_return Error::cancelled();
    co_return Response(status);
  });
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    CHECK_FALSE(balance.ejected(0, sim.reactor().precise_now()));
    for (int turn = 0; turn < 2; ++turn) (void)sim.run(ask(service, get("http://api/")));
  }
  CHECK(balance.ejected(0, sim.reactor().precise_now()));
}

TEST_CASE("balance: an attempt after another goes to another upstream, also among equal calls side by side") {
  for (const bool known : {false, true}) {
    CAPTURE(known);
    World world;
    world.broken = "a";
    world.times = {{"a", 1ms}, {"b", 100ms}};
    BalanceOptions options;
    options.ejection.reset();
    options.first_time = Duration();  // so a failure that comes fast makes an upstream look fast
    Retry retry;
    retry.jitter = Jitter::none;
    Service service = layered(retry, Balance(hosts("ab"), options), world.upstreams());
    if (known) service = layered(Timeout{10s}, std::move(service));
    int good = 0;
    Scope scope(world.sim.reactor(), nullptr);
    for (int i = 0; i < 100; ++i) {
      scope.spawn([&service, &good]() -> Task<> {
        const Answer answer = co_await ask(service, get("http://api/x?y=1"));
        if (answer.status == 200) ++good;
      });
      world.sim.advance(Duration(1ms) / 2);
    }
    CHECK(world.sim.run(scope.join()));
    CHECK(good == 100);
    CHECK(world.calls["a"] <= 100);  // no call went there twice
  }
}

TEST_CASE("balance: a hedge goes to another upstream than the attempt that is slow") {
  World world;
  world.times = {{"a", 10s}, {"b", 10ms}, {"c", 10ms}};
  Hedge hedge;
  hedge.delay = 50ms;
  const Service service = layered(hedge, Balance(hosts("abc"), round_robin()), world.upstreams());
  const Result<Answer> answer = world.sim.run(ask(service, get("http://api/")));
  CHECK(answer->body == "from b");
  CHECK(world.sim.elapsed() == 60ms);
  world.order.clear();
  world.broken = "b";
  world.times.clear();
  const Service two = layered(Retry{}, Balance(hosts("b")), world.upstreams());
  CHECK(world.sim.run(ask(two, get("http://api/")))->status == 503);
  CHECK(world.order == "bbb");  // there is no other one
}
