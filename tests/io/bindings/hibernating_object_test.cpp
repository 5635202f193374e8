// MemoryHibernatingObject: WebSockets that outlive the instance, with their tags and attachments.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/memory_hibernating_object.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/hibernation_contract.h"

using namespace escapement;

namespace {

struct World {
  Sim sim;
  MemoryDisk disk;
  int instances = 0;
  MemoryHibernatingObject room{sim.reactor(), disk,
                               [this](Reactor& reactor, DurableStorage& storage, DurableWebSockets& sockets) {
                                 ++instances;
                                 return std::make_unique<test::Room>(reactor, storage, sockets);
                               }};

  std::unique_ptr<WebSocket> connect(std::string_view url) {
    Result<std::unique_ptr<WebSocket>> socket = sim.run(room.connect(http::get(url)));
    REQUIRE(socket);
    return *std::move(socket);
  }
  std::string next(WebSocket& socket) {
    Result<std::optional<WebSocketMessage>> message = sim.run(with_timeout(1s, socket.receive()));
    if (!message) return std::string(name(message.error().code()));
    return *message ? (*message)->data : "end " + std::to_string(socket.close_code());
  }
};

}  // namespace

TEST_CASE("HibernatingObject: messages reach those with a tag, across an eviction") {
  World world;
  const std::unique_ptr<WebSocket> ada = world.connect("http://room/?name=Ada&tag=red");
  const std::unique_ptr<WebSocket> bob = world.connect("http://room/?name=Bob&tag=blue");
  CHECK(world.instances == 1);
  REQUIRE(world.sim.run(ada->send("all hello")));
  CHECK(world.next(*ada) == "Ada says hello (1)");
  CHECK(world.next(*bob) == "Ada says hello (1)");
  world.room.evict();
  REQUIRE(world.sim.run(bob->send("red to you")));
  CHECK(world.next(*ada) == "Bob says to you (1)");
  CHECK(world.instances == 2);
  CHECK(world.next(*bob) == "timed_out");
  REQUIRE(world.sim.run(bob->send("rename Robert")));
  world.sim.settle();
  world.room.evict();
  REQUIRE(world.sim.run(bob->send("tags")));
  CHECK(world.next(*bob) == "Robert blue everybody");
}

TEST_CASE("HibernatingObject: an automatic response wakes nobody") {
  World world;
  const std::unique_ptr<WebSocket> ada = world.connect("http://room/?name=Ada");
  REQUIRE(world.sim.run(ada->send("pings on")));
  CHECK(world.next(*ada) == "pings on");
  world.room.evict();
  REQUIRE(world.sim.run(ada->send("ping")));
  CHECK(world.next(*ada) == "pong");
  CHECK(world.instances == 1);
  REQUIRE(world.sim.run(ada->send(WebSocketMessage::binary("ping"))));
  CHECK(world.next(*ada) == "Ada sent 4 bytes");
}

TEST_CASE("HibernatingObject: closes by both sides, and what is refused") {
  World world;
  std::unique_ptr<WebSocket> ada = world.connect("http://room/?name=Ada");
  const std::unique_ptr<WebSocket> bob = world.connect("http://room/?name=Bob");
  ada->close(4001, "bye");
  CHECK(world.next(*bob) == "Ada left 4001 bye");
  CHECK(world.next(*ada) == "end 1000");
  CHECK(world.room.connections() == 1);
  REQUIRE(world.sim.run(bob->send("close me")));
  CHECK(world.next(*bob) == "end 3000");
  std::unique_ptr<WebSocket> eve = world.connect("http://room/?name=Eve");
  eve.reset();
  world.sim.settle();
  const Result<std::unique_ptr<WebSocket>> refused =
      world.sim.run(world.room.connect(http::get("http://room/refuse")));
  CHECK(refused.error() == Errc::permission_denied);
  const Result<std::unique_ptr<WebSocket>> tags =
      world.sim.run(world.room.connect(http::get("http://room/?name=x&tag=" + std::string(257, 't'))));
  CHECK(tags.error() == Errc::limit_exceeded);
  const Result<http::Response> response = world.sim.run(world.room.fetch(http::get("http://room/")));
  REQUIRE(response);
  CHECK(response->body.bytes() == "1 sockets");
}

TEST_CASE("HibernatingObject: a handler that fails or is evicted costs its message, not the connection") {
  World world;
  const std::unique_ptr<WebSocket> ada = world.connect("http://room/?name=Ada");
  REQUIRE(world.sim.run(ada->send("fail")));
  REQUIRE(world.sim.run(ada->send("slow")));
  world.sim.settle();
  world.room.evict();
  REQUIRE(world.sim.run(ada->send("receive")));
  CHECK(world.next(*ada) == "unsupported");
  REQUIRE(world.sim.run(ada->send("attach much")));
  CHECK(world.next(*ada) == "limit_exceeded");
}
