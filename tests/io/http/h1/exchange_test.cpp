// Exchange: in which order a request's parts go, and what becomes of a body that somebody still holds.

#include <escapement/io/http/h1/exchange.h>

#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;
using http::detail::Exchange;
using http::detail::OpenBody;

namespace {

class Reader final : public http::detail::RequestBodyReader {
 public:
  Task<std::string> read_request_body(OpenBody&) override {
    if (waits) co_await sleep(1h);
    co_return std::string(ended++ == 0 ? "bytes" : "");
  }
  http::Headers take_request_trailers() override { return http::Headers{{"Sum", "5"}}; }

  bool waits = false;
  int ended = 0;
};

struct Note {
  Note(std::string& l, const char* w) : log(l), what(w) {}
  Note(const Note&) = delete;
  ~Note() { log += what; }
  std::string& log;
  const char* what;
};

class Noted final : public http::BodyAttachment {
 public:
  Noted(std::string& log, const char* what) : note_(log, what) {}

 private:
  Note note_;
};

Task<http::Response> handle(std::string& log, std::shared_ptr<OpenBody> body) {
  Note frame(log, body->ended() ? "?" : "frame ");
  http::Response response(200, "text");
  response.body.attach(std::make_unique<Noted>(log, "body "));
  co_return std::move(response);
}

Task<http::Response> never() {
  co_await sleep(1h);
  co_return http::Response(200);
}

struct Nothing final : Runnable {
  void run() override {}
};

struct World {
  void start(Exchange& exchange, Task<http::Response> task) {
    exchange.handler.emplace(std::move(task));
    exchange.handler->start(sim.reactor(), nothing);
  }

  Sim sim;
  Reader reader;
  Nothing nothing;
  std::string log;
};

}  // namespace

TEST_CASE(
    "Exchange: it has not started until the service returned a task, and is handled when that is done") {
  World world;
  Exchange exchange;
  CHECK(exchange.not_started());
  world.start(exchange, never());
  CHECK_FALSE(exchange.not_started());
  CHECK_FALSE(exchange.handled());
  world.sim.advance(1h);
  CHECK(exchange.handled());
  CHECK(exchange.chosen_response().status == 200);
}

TEST_CASE("Exchange: the server's own response goes before the handler's") {
  World world;
  Exchange exchange;
  exchange.body = std::make_shared<OpenBody>(world.reader, false);
  world.start(exchange, handle(world.log, exchange.body));
  CHECK(exchange.chosen_response().status == 200);
  exchange.response.emplace(500);
  CHECK(exchange.chosen_response().status == 500);
}

TEST_CASE("Exchange: a response that is kept outlives the handler, of which nothing is left") {
  World world;
  Exchange exchange;
  exchange.body = std::make_shared<OpenBody>(world.reader, false);
  world.start(exchange, handle(world.log, exchange.body));
  exchange.keep_response(exchange.chosen_response());
  CHECK_FALSE(exchange.handler);
  CHECK(world.log == "frame ");
  CHECK(exchange.response->body.bytes() == "text");
  exchange.response.reset();
  CHECK(world.log == "frame body ");
}

TEST_CASE("Exchange: the request's body ends with it, for whoever still holds or reads it") {
  World world;
  world.reader.waits = true;
  std::string said;
  Scope scope(world.sim.reactor());
  http::Body held;
  {
    Exchange exchange;
    exchange.body = std::make_shared<OpenBody>(world.reader, false);
    held = http::detail::body_of(exchange.body, 5);
    scope.spawn([](http::Body& body, std::string& text) -> Task<> {
      Result<std::string> bytes = co_await body.read().result();
      text = bytes ? "bytes" : to_string(bytes.error());
    }(held, said));
    world.sim.settle();
    CHECK(said.empty());
  }
  world.sim.settle();
  CHECK(said.find("the request is over") != said.npos);
  Result<std::string> again = world.sim.run(held.read());
  CHECK(again.error() == Errc::cancelled);
}

TEST_CASE("Exchange: a body is read to its end, and its trailers are there after that") {
  World world;
  Exchange exchange;
  exchange.body = std::make_shared<OpenBody>(world.reader, true);
  CHECK(exchange.body->expects_continue());
  http::Output out;
  exchange.body->allow(out);
  CHECK_FALSE(exchange.body->expects_continue());
  CHECK(out.view() == "HTTP/1.1 100 Continue\r\n\r\n");
  http::Body body = http::detail::body_of(exchange.body, std::nullopt);
  CHECK(*world.sim.run(body.text(100)) == "bytes");
  CHECK(body.trailers().get_or("sum", "") == "5");
}

TEST_CASE("Exchange: its request's context ends last, and a record that nobody holds serves the next one") {
  class Connection final : public http::RequestContext::Connection {
   public:
    std::string_view peer() override { return "10.0.0.1:4711"; }
    Result<> inform(int, const http::Headers&) override {
      ++informed;
      return {};
    }
    void note_handler_code(const void*) override {}
    int informed = 0;
  };
  World world;
  http::detail::RequestLink link;
  Connection connection;
  http::RequestContext kept;
  for (const bool keeps : {false, true, false}) {
    http::RequestContext context;
    {
      Exchange exchange;
      context = link.begin(connection);
      exchange.link = &link;
      CHECK(context.peer() == "10.0.0.1:4711");
      CHECK(context.inform(103, {}));
      if (keeps) kept = context;
      if (!keeps) context = {};
    }
    if (!keeps) continue;
    CHECK(context.inform(103, {}).error() == Errc::cancelled);
    CHECK(context.peer() == "10.0.0.1:4711");
  }
  CHECK(connection.informed == 3);
  CHECK(kept.inform(103, {}).error() == Errc::cancelled);
}
