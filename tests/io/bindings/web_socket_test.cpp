// Two connected WebSockets in memory; which text is UTF-8.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/core/sequence.h>
#include <escapement/io/bindings/memory_web_socket.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

Task<> echo(WebSocket& socket) {
  while (std::optional<WebSocketMessage> message = co_await socket.receive()) {
    co_await socket.send(*std::move(message));
  }
  socket.close(3000, "bye");
}

}  // namespace

TEST_CASE("WebSocket: messages both ways, then the close with its code") {
  Sim sim;
  WebSocketEnds ends = web_socket_pair();
  Scope scope(sim.reactor());
  scope.spawn(echo(*ends.second));
  const auto client = [](WebSocket& socket) -> Task<std::vector<WebSocketMessage>> {
    co_await socket.send("text");
    co_await socket.send(WebSocketMessage::binary(std::string("\0\xff", 2)));
    co_await socket.send("");
    std::vector<WebSocketMessage> echoes;
    for (int i = 0; i < 3; ++i) {
      std::optional<WebSocketMessage> echo = co_await socket.receive();
      echoes.push_back(*std::move(echo));
    }
    socket.close(4000, "done");
    socket.close(4001, "again");
    Result<> late = co_await socket.send("late").result();
    CHECK(late.error() == Errc::reset);
    const std::vector<WebSocketMessage> rest = co_await collect(socket, 10);
    CHECK(rest.empty());
    co_return echoes;
  };
  const Result<std::vector<WebSocketMessage>> received = sim.run(client(*ends.first));
  REQUIRE(received);
  CHECK(*received ==
        std::vector<WebSocketMessage>{"text", WebSocketMessage::binary(std::string("\0\xff", 2)), ""});
  CHECK(ends.first->close_code() == 3000);
  CHECK(ends.first->close_reason() == "bye");
  CHECK(ends.second->close_code() == 4000);
  CHECK(ends.second->close_reason() == "done");
}

TEST_CASE("WebSocket: codes and reasons that may not be sent") {
  Sim sim;
  WebSocketEnds ends = web_socket_pair();
  ends.first->close(1011, std::string(122, 'x') + "\xc3\xa4");
  CHECK(ends.second->close_code() == 1000);
  CHECK(ends.second->close_reason() == std::string(122, 'x'));
  CHECK(sim.run(ends.second->send("\xc3")).error() == Errc::invalid_argument);
}

TEST_CASE("WebSocket: an end that is destroyed is going away; one that is cancelled loses nothing") {
  Sim sim;
  WebSocketEnds ends = web_socket_pair();
  Result<std::optional<WebSocketMessage>> none = sim.run(with_timeout(1s, ends.first->receive()));
  CHECK(none.error() == Errc::timed_out);
  REQUIRE(sim.run(ends.second->send("last")));
  ends.second.reset();
  CHECK((*sim.run(ends.first->receive()))->data == "last");
  CHECK_FALSE(*sim.run(ends.first->receive()));
  CHECK(ends.first->close_code() == 1001);
  CHECK(sim.run(ends.first->send("nobody")).error() == Errc::reset);
}

TEST_CASE("WebSocket: a peer that sends more than is kept is cut off") {
  Sim sim;
  WebSocketEnds ends = web_socket_pair({.messages_max = 3, .bytes_max = 100});
  const auto flood = [](WebSocket& socket, std::string data) -> Task<int> {
    for (int sent = 0;; ++sent) {
      Result<> done = co_await socket.send(data).result();
      if (!done) co_return sent;
    }
  };
  CHECK(*sim.run(flood(*ends.first, "x")) == 4);
  CHECK(sim.run(ends.second->receive()).error() == Errc::limit_exceeded);
  CHECK(ends.first->close_code() == 1009);
  ends = web_socket_pair({.messages_max = 3, .bytes_max = 100});
  CHECK(*sim.run(flood(*ends.first, std::string(60, 'x'))) == 2);
}

TEST_CASE("is_utf8: every first byte, and the borders of the second") {
  CHECK(is_utf8(""));
  CHECK(is_utf8(
      "a\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
  for (const char* text : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xc2\xc0",
                           "\xe0\x9f\xbf", "\xe0\xa0", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                           "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xff", "\xe1\x80\x41"}) {
    CHECK_FALSE(is_utf8(text));
  }
}
