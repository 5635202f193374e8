// The promises of ClientConnection to a pool and its calls, kept by HTTP/1.1.

#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/detail/client_connection.h>
#include <escapement/io/http/detail/client_shared.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "support/answers.h"

using namespace escapement;
using http::detail::CallReport;
using http::detail::ClientConnection;
using http::detail::ClientExchange;
using http::detail::OutgoingRequest;
using http::detail::ResponseHead;

namespace {

// A client's connection, and the other end, by hand.
struct Ends {
  Ends() {
    PipeEnds ends = pipe();
    client = *http::detail::make_client_connection(std::move(ends.first), shared);
    server = std::move(ends.second);
  }

  http::detail::ClientShared shared{http::ClientOptions()};
  std::unique_ptr<ClientConnection> client;
  std::unique_ptr<Stream> server;
};

Task<> answer(Stream& server, std::string response) {
  std::string seen;
  std::byte room[512];
  while (!seen.ends_with("\r\n\r\n")) {
    std::size_t count = co_await server.read(room);
    seen += as_text(Bytes(room).first(count));
  }
  co_await server.write(as_bytes(response));
}

// Begins an exchange, which lives in `exchange`, and yields the head of its response.
Task<ResponseHead> get(ClientConnection& connection, std::unique_ptr<ClientExchange>& exchange) {
  http::Request request("GET", *http::Url::parse("http://s/"));
  OutgoingRequest outgoing{request};
  http::Framing framing = co_await http::write_request_head(outgoing.head, request, http::RequestOptions());
  outgoing.framing = framing;
  CallReport report(request);
  exchange = connection.begin();
  ResponseHead head;
  co_await exchange->call(outgoing, head, report);
  co_return std::move(head);
}

// The whole of one exchange; yields the body.
Task<std::string> get_all(Ends& ends, std::string response) {
  Scope scope(co_await this_reactor);
  scope.spawn(answer(*ends.server, std::move(response)));
  std::unique_ptr<ClientExchange> exchange;
  ResponseHead head = co_await get(*ends.client, exchange);
  CHECK(head.status == 200);
  CHECK(ends.client->room() == 0);
  std::string body(head.body ? head.body->bytes() : std::string_view());
  for (bool more = !head.body; more;) {
    std::string piece = co_await exchange->read_body();
    more = !piece.empty();
    body += piece;
  }
  exchange.reset();
  CHECK(ends.client->room() == 1);
  co_return std::move(body);
}

}  // namespace

TEST_CASE("client connection: it has room for one exchange, and is kept after a good end") {
  Sim sim;
  Ends ends;
  CHECK(ends.client->room() == 1);
  CHECK(ends.client->keep_for() == ends.shared.options.idle_timeout);  // nothing was sent yet
  ends.client->begin();
  CHECK(ends.client->keep_for() == ends.shared.options.idle_timeout);  // nor on an exchange without a call
  for (int i = 0; i < 2; ++i) {
    const Result<std::string> body = sim.run(get_all(ends, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    REQUIRE(body);
    CHECK(*body == "ok");
    CHECK(ends.client->keep_for() == ends.shared.options.idle_timeout);
    CHECK(ends.client->usable());
  }
  REQUIRE(sim.run(get_all(ends, "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=10\r\nContent-Length: 0\r\n\r\n")));
  CHECK(ends.client->keep_for() == Duration(8s));
}

TEST_CASE("client connection: it is not kept when either side closes, or a response was given up") {
  for (const char* response : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
                               "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
                               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and what nobody asked for"}) {
    INFO(response);
    Sim sim;
    Ends ends;
    REQUIRE(sim.run(get_all(ends, response)));
    CHECK(ends.client->keep_for() <= Duration());
  }
  const auto half = [](Ends& ends) -> Task<> {
    Scope scope(co_await this_reactor);
    scope.spawn(answer(*ends.server, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
    std::unique_ptr<ClientExchange> exchange;
    ResponseHead head = co_await get(*ends.client, exchange);
    CHECK(head.length == 9);
    exchange.reset();
  };
  Sim sim;
  Ends ends;
  REQUIRE(sim.run(half(ends)));
  CHECK(ends.client->keep_for() <= Duration());
}

TEST_CASE("client connection: it is not used again when the server has closed it or spoken unasked") {
  for (const bool closes : {false, true}) {
    Sim sim;
    Ends ends;
    REQUIRE(sim.run(get_all(ends, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
    const auto spoil = [](Ends& ends, bool closes) -> Task<> {
      if (closes) {
        ends.server.reset();
      } else {
        co_await ends.server->write(as_bytes("HTTP/1.1 408 Request Timeout\r\n\r\n"));
      }
    };
    REQUIRE(sim.run(spoil(ends, closes)));
    CHECK(!ends.client->usable());
  }
}

TEST_CASE("client connection: a server that closes before a byte of its response can be told from others") {
  const auto call = [](Ends& ends, std::string response, bool unanswered) -> Task<> {
    Scope scope(co_await this_reactor);
    auto serve = [](Ends& ends, std::string response) -> Task<> {
      co_await answer(*ends.server, std::move(response));
      ends.server.reset();
    };
    scope.spawn(serve(ends, std::move(response)));
    std::unique_ptr<ClientExchange> exchange;
    Result<ResponseHead> head = co_await get(*ends.client, exchange).result();
    REQUIRE(!head);
    CHECK(head.error() == (unanswered ? Errc::reset : Errc::bad_message));
    CHECK(exchange->unanswered() == unanswered);
    CHECK(exchange->closed_unanswered() == unanswered);
  };
  for (const bool unanswered : {true, false}) {
    INFO(unanswered);
    Sim sim;
    Ends ends;
    REQUIRE(sim.run(call(ends, unanswered ? "" : "HTTP/1.1 nonsense\r\n\r\n", unanswered)));
  }
}

TEST_CASE("client connection: a request that is still going out when its call has failed ends by itself") {
  enum class Call { fails, cancelled };
  const Call how = GENERATE(Call::fails, Call::cancelled);
  Sim sim;
  Ends ends;
  std::unique_ptr<ClientExchange> exchange;
  const auto post = [](Ends& ends, std::unique_ptr<ClientExchange>& exchange) -> Task<> {
    http::Request request("POST", *http::Url::parse("http://s/"));
    request.body = test::pieces({"a", "b"}, 1s);
    OutgoingRequest outgoing{request};
    http::Framing framing = co_await http::write_request_head(outgoing.head, request, http::RequestOptions());
    outgoing.framing = framing;
    CallReport report(request);
    exchange = ends.client->begin();
    ResponseHead head;
    co_await exchange->call(outgoing, head, report);
    CHECK(head.status == 0);  // there is none
  };
  std::string failure;
  {
    Scope scope(sim.reactor(), [&failure](Error error) { failure = name(error.code()); });
    scope.spawn(post(ends, exchange));
    if (how == Call::fails) REQUIRE(sim.run(ends.server->write(as_bytes("nonsense\r\n\r\n"))));
    sim.advance(500ms);
  }
  CHECK(failure == (how == Call::fails ? "bad_message" : ""));
  sim.advance(10s);  // it has gone out by then
  CHECK(exchange->take_body().replayable() == false);
  exchange.reset();
  CHECK(ends.client->keep_for() <= Duration());
}
