#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/middleware/server/event_stream.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;

namespace {

// Reads `count` pieces, with the time at which each came.
Task<std::vector<std::string>> read_pieces(Sim& sim, Response& response, int count) {
  std::vector<std::string> read;
  for (int i = 0; i < count; ++i) {
    std::string piece = co_await response.body.read();
    read.push_back(std::to_string(sim.elapsed() / Duration(1ms)) + ' ' + piece);
  }
  co_return std::move(read);
}

struct Live {
  explicit Live(int& c) : count(c) { ++count; }
  Live(const Live&) = delete;
  ~Live() { --count; }
  int& count;
};

}  // namespace

TEST_CASE("event stream: the text of an event") {
  CHECK(to_text(ServerEvent("")) == "data: \n\n");
  CHECK(to_text(ServerEvent("a\nb\r\nc\rd", "type", "7")) ==
        "id: 7\nevent: type\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
  CHECK(to_text(ServerEvent("a\n")) == "data: a\ndata: \n\n");
  ServerEvent event("x", "t\ndata: forged", "1\r\n2");
  event.retry = 2500ms;
  CHECK(to_text(event) == "id: 12\nevent: tdata: forged\nretry: 2500\ndata: x\n\n");
}

TEST_CASE("event stream: events in order, heartbeats in between, which disturb nobody") {
  Sim sim;
  int calls = 0;
  Response response = event_stream(
      [&]() -> Task<std::optional<ServerEvent>> {
        const int number = ++calls;
        co_await sleep(number == 2 ? 2500ms : 100ms);
        std::optional<ServerEvent> event;
        if (number < 4) event.emplace(std::to_string(number));
        co_return std::move(event);
      },
      {.heartbeat = 1s});
  CHECK(response.headers.get_or("content-type", "") == "text/event-stream");
  CHECK(response.headers.get_or("cache-control", "") == "no-store");
  CHECK(!response.body.length());
  const std::vector<std::string> read = *sim.run(read_pieces(sim, response, 8));
  CHECK(read == std::vector<std::string>{"0 :\n\n", "100 data: 1\n\n", "1100 :\n\n", "2100 :\n\n",
                                         "2600 data: 2\n\n", "2700 data: 3\n\n", "2800 ", "2800 "});
  CHECK(calls == 4);
}

TEST_CASE("event stream: the source is asked only when the client has taken what came before") {
  Sim sim;
  int calls = 0;
  Response response = event_stream([&]() -> Task<std::optional<ServerEvent>> {
    co_return std::optional<ServerEvent>(ServerEvent(std::to_string(++calls)));
  });
  (void)*sim.run(read_pieces(sim, response, 3));
  sim.advance(1h);
  CHECK(calls == 2);
}

TEST_CASE("event stream: a call that finishes while nobody reads is not lost") {
  Sim sim;
  Response response = event_stream(
      []() -> Task<std::optional<ServerEvent>> {
        co_await sleep(1500ms);
        co_return std::optional<ServerEvent>(ServerEvent("late"));
      },
      {.heartbeat = 1s});
  CHECK(*sim.run(read_pieces(sim, response, 2)) == std::vector<std::string>{"0 :\n\n", "1000 :\n\n"});
  sim.advance(10s);
  CHECK(*sim.run(read_pieces(sim, response, 1)) == std::vector<std::string>{"11000 data: late\n\n"});
}

TEST_CASE("event stream: failures break it off; destroying it destroys the call") {
  Sim sim;
  Response broken = event_stream(
      []() -> Task<std::optional<ServerEvent>> { co_return Error(Errc::unavailable, "no events"); });
  CHECK(sim.run(read_pieces(sim, broken, 2)).error() == Errc::unavailable);
  int live = 0;
  {
    Response response = event_stream(
        [&]() -> Task<std::optional<ServerEvent>> {
          Live alive(live);
          co_await sleep(1h);
          co_return std::optional<ServerEvent>();
        },
        {.heartbeat = 1s});
    (void)*sim.run(read_pieces(sim, response, 2));
    CHECK(live == 1);
  }
  CHECK(live == 0);
}

TEST_CASE("event stream: a bounded queue") {
  Sim sim;
  auto queue = std::make_shared<EventQueue>(2);
  std::weak_ptr<EventQueue> publisher = queue;
  {
    Response response = event_stream(std::move(queue));
    CHECK(publisher.lock()->push(ServerEvent("1")));
    CHECK(publisher.lock()->push(ServerEvent("2")));
    CHECK(!publisher.lock()->push(ServerEvent("3")));
    publisher.lock()->close();
    CHECK(!publisher.lock()->push(ServerEvent("4")));
    CHECK(*sim.run(read_pieces(sim, response, 4)) ==
          std::vector<std::string>{"0 :\n\n", "0 data: 1\n\n", "0 data: 2\n\n", "0 "});
  }
  CHECK(publisher.expired());
}

TEST_CASE("event stream: over a connection, until the client leaves") {
  Sim sim;
  int live = 0;
  Server server([&](Request) -> Task<Response> {
    auto held = std::make_shared<Live>(live);
    co_return event_stream(
        [held]() -> Task<std::optional<ServerEvent>> {
          co_await sleep(100ms);
          co_return std::optional<ServerEvent>(ServerEvent("tick"));
        },
        {.heartbeat = 1s});
  });
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "h:80"));
  sim.settle();
  {
    Client client(sim.network());
    const auto read = [](Client& client, Sim& sim) -> Task<std::vector<std::string>> {
      Response response = co_await client(get("http://h/"));
      co_return co_await read_pieces(sim, response, 3);
    };
    const std::vector<std::string> got = *sim.run(read(client, sim));
    CHECK(got == std::vector<std::string>{"0 :\n\n", "100 data: tick\n\n", "200 data: tick\n\n"});
    CHECK(live == 1);
  }
  sim.advance(2s);
  CHECK(live == 0);
  scope.cancel();
}
