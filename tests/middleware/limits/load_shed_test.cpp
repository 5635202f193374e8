// LoadShed, request by request in simulated time.

#include <escapement/middleware/limits/load_shed.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;

namespace {

// A server that does one thing at a time.
struct World {
  explicit World(LoadShedOptions options = one()) : shed(options) {
    service.emplace(layered(shed, Service([this](Request) -> Task<Response> {
                              co_await sleep(work);
                              co_return Response(200, "x");
                            })));
  }
  static LoadShedOptions one() {
    LoadShedOptions options;
    options.running_max = 1;
    return options;
  }
  void send(std::string name, Instant deadline = Instant::never()) {
    scope.spawn([this, name, deadline]() -> Task<> {
      Request request = get("http://h/");
      request.deadline = deadline;
      const Answer answer = co_await ask(*service, std::move(request));
      if (answer.status == 503) CHECK(answer.field("Retry-After") == "1");
      ends.push_back(name + ' ' + std::to_string(answer.status) + " at " +
                     std::to_string(sim.elapsed() / Duration(1ms)));
    });
    sim.settle();
  }

  Sim sim;
  LoadShed shed;
  Duration work = 50ms;
  std::optional<Service> service;
  std::vector<std::string> ends;
  Scope scope{sim.reactor()};
};

using Ends = std::vector<std::string>;

}  // namespace

TEST_CASE("load shed: a burst waits in order, as long as the queue was empty lately") {
  World world;
  world.work = 40ms;
  for (const char* name : {"a", "b", "c", "d"}) world.send(name);
  CHECK(world.shed.running() == 1);
  CHECK(world.shed.waiting() == 3);
  world.sim.advance(1s);
  CHECK(world.ends == Ends{"a 200 at 40", "b 200 at 80", "d 503 at 100", "c 200 at 120"});
  CHECK(world.shed.refused() == 1);
  CHECK(world.shed.running() == 0);
  CHECK(world.shed.waiting() == 0);
}

TEST_CASE(
    "load shed: in a standing queue new requests wait for the target only, and the youngest goes first") {
  LoadShedOptions options = World::one();
  options.wait_max = 10s;
  World world(options);
  for (const char* name : {"a", "b", "c", "d", "e"}) world.send(name);
  world.sim.advance(101ms);  // a and b are done, c runs; d and e stand since 0
  world.send("f");
  world.sim.advance(5ms);
  CHECK(world.ends.back() == "f 503 at 106");
  world.sim.advance(40ms);  // 146
  world.send("g");
  world.sim.advance(4ms);  // 150: c is done
  world.sim.advance(1s);
  CHECK(world.ends == Ends{"a 200 at 50", "b 200 at 100", "f 503 at 106", "c 200 at 150", "g 200 at 200",
                           "e 200 at 250", "d 200 at 300"});
  // The queue was empty since: the next burst waits in order again.
  world.ends.clear();
  for (const char* name : {"x", "y"}) world.send(name);
  world.sim.advance(1s);
  CHECK(world.ends == Ends{"x 200 at 1200", "y 200 at 1250"});
}

TEST_CASE("load shed: beyond the queue, and beyond a request's own deadline, nothing waits") {
  LoadShedOptions options = World::one();
  options.waiting_max = 1;
  World world(options);
  world.send("a");
  world.send("late", world.sim.reactor().now());
  CHECK(world.ends.back() == "late 503 at 0");
  world.send("b", world.sim.reactor().now() + 20ms);
  world.send("c");
  CHECK(world.ends.back() == "c 503 at 0");
  world.sim.advance(20ms);
  CHECK(world.ends.back() == "b 503 at 20");
  world.sim.advance(1s);
  CHECK(world.ends.back() == "a 200 at 50");
}

TEST_CASE("load shed: a place is held to the end of the body, and passed on by those that leave") {
  World world;
  auto call = [&]() -> Task<> {
    Response response = co_await (*world.service)(get("http://h/"));
    CHECK(response.status == 200);
    co_await sleep(30ms);
    std::string body = co_await response.body.text(10);
  };
  world.scope.spawn(call);
  world.sim.settle();
  {
    Scope leaving(world.sim.reactor());
    leaving.spawn(call);
    world.sim.settle();
    CHECK(world.shed.waiting() == 1);
  }
  CHECK(world.shed.waiting() == 0);
  world.send("b");
  world.sim.advance(79ms);
  CHECK(world.shed.waiting() == 1);
  world.sim.advance(1ms);
  CHECK(world.shed.waiting() == 0);
  world.sim.advance(1s);
  CHECK(world.ends == Ends{"b 200 at 130"});
  CHECK(world.shed.running() == 0);
}

TEST_CASE("load shed: Retry-After is in whole seconds, rounded up") {
  LoadShedOptions options = World::one();
  options.retry_after = 1500ms;
  options.waiting_max = 0;
  World world(options);
  world.send("a");
  const Answer refused = *world.sim.run(ask(*world.service, get("http://h/")));
  CHECK(refused.field("Retry-After") == "2");
  world.sim.advance(1s);
}

TEST_CASE("load shed: a place that comes to one that is cancelled in the same turn is passed on") {
  World world;
  std::optional<Response> first = *world.sim.run((*world.service)(get("http://h/")));
  auto leaving = std::make_unique<Scope>(world.sim.reactor());
  leaving->spawn([&]() -> Task<> {
    const Answer answer = co_await ask(*world.service, get("http://h/"));
    world.ends.push_back("left " + std::to_string(answer.status));
  });
  world.sim.settle();
  world.send("b");
  CHECK(world.shed.waiting() == 2);
  first.reset();    // admits the one that leaves
  leaving.reset();  // which has not run yet
  world.sim.advance(1s);
  CHECK(world.ends == Ends{"b 200 at 100"});
  CHECK(world.shed.running() == 0);
  CHECK(world.shed.waiting() == 0);
}
