// SharedWebSocketMessage: one message for many connections, at their own speeds, kept once.

#include <sys/resource.h>

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/broadcast.h>
#include <escapement/core/bytes.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/web_socket/connection.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/io/sim/sim.h>

#include "support/raw_http.h"

using namespace escapement;

namespace {

using Room = Broadcast<SharedWebSocketMessage>;

// The server's end of a connection, and its peer.
struct Member {
  Member(Sim& sim, std::size_t buffer) {
    PipeEnds ends = pipe(PipeOptions{.capacity = buffer});
    peer = std::move(ends.second);
    socket = std::make_unique<http::detail::StreamWebSocket>(sim.reactor(), std::move(ends.first),
                                                             http::WebSocketLimits{});
  }
  std::unique_ptr<Stream> peer;
  std::unique_ptr<WebSocket> socket;
};

Task<> to_member(WebSocket& socket, Room& room, std::string& log) {
  Room::Receiver receiver(room);
  while (std::optional<Room::Message> message = co_await receiver.receive()) {
    if (message->missed() > 0) log += "missed " + std::to_string(message->missed()) + "; ";
    Result<> sent = co_await socket.send_shared(**message).result();
    if (!sent) log += to_string(sent.error()) + "; ";
  }
}

long memory_in_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("SharedWebSocketMessage: each member gets every message, in order") {
  Sim sim(Seed{1});
  Room room(16);
  std::string log;
  std::vector<Member> members;
  for (int i = 0; i < 10; ++i) members.emplace_back(sim, 4 * KiB);
  {
    Scope scope(sim.reactor(), [](Error) {});
    for (Member& member : members) scope.spawn(to_member(*member.socket, room, log));
    sim.settle();
    room.send(SharedWebSocketMessage("one"));
    room.send(SharedWebSocketMessage(WebSocketMessage::binary("two")));
    room.send(SharedWebSocketMessage("\xff"));  // is text that is not UTF-8
    sim.settle();
  }
  for (Member& member : members) CHECK(test::read_for(sim, *member.peer, 10ms) == "\x81\x03one\x82\x03two");
  std::string expected;
  for (int i = 0; i < 10; ++i) expected += "invalid_argument: a WebSocket's text is not UTF-8; ";
  CHECK(log == expected);
}

TEST_CASE("SharedWebSocketMessage: a member that is too slow keeps up no other, and is told what it missed") {
  Sim sim(Seed{1});
  Room room(2);
  std::string log_of_slow, log_of_fast;
  Member slow(sim, 16), fast(sim, 4 * KiB);
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(to_member(*slow.socket, room, log_of_slow));
  scope.spawn(to_member(*fast.socket, room, log_of_fast));
  sim.settle();
  for (int i = 0; i < 6; ++i) {
    room.send(SharedWebSocketMessage(std::string(30, static_cast<char>('a' + i))));
    sim.settle();
  }
  CHECK(test::read_for(sim, *fast.peer, 10ms).size() == 6 * 32);
  CHECK(log_of_fast == "");
  CHECK(test::read_for(sim, *slow.peer, 10ms).size() == 3 * 32);
  CHECK(log_of_slow == "missed 3; ");
}

TEST_CASE("SharedWebSocketMessage: 300 connections that wait for slow peers keep it once") {
  Sim sim(Seed{1});
  Room room(4);
  std::string log;
  std::vector<Member> members;
  for (int i = 0; i < 300; ++i) members.emplace_back(sim, 1 * KiB);
  Scope scope(sim.reactor(), [](Error) {});
  for (Member& member : members) scope.spawn(to_member(*member.socket, room, log));
  sim.settle();
  const long before = memory_in_kib();
  room.send(SharedWebSocketMessage(WebSocketMessage::binary(std::string(4 * MiB, 'x'))));
  sim.settle();
  CHECK(memory_in_kib() - before < 100'000);  // copies would be 1.2 million
  CHECK(log == "");
}

TEST_CASE("SharedWebSocketMessage: a connection that breaks or is closed says so") {
  Sim sim(Seed{1});
  Member closed(sim, 4 * KiB), broken(sim, 16);
  closed.socket->close(1000, "");
  Result<> sent = sim.run(closed.socket->send_shared(SharedWebSocketMessage("x")));
  CHECK((!sent && sent.error() == Errc::reset));
  Task<> waits = broken.socket->send_shared(SharedWebSocketMessage(std::string(100, 'x')));
  broken.peer.reset();
  sent = sim.run(std::move(waits));
  CHECK((!sent && sent.error() == Errc::reset));
}
