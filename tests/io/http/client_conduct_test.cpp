// What a client does on one connection beside a scripted server: when it sends a body, and what it keeps.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

// Waits for `expect`, then sends `answer`.
struct Line {
  Line(std::string e, std::string a) : expect(std::move(e)), answer(std::move(a)) {}
  std::string expect;
  std::string answer;
};

Task<> play(SimNetwork& network, std::vector<Line> script) {
  std::unique_ptr<Listener> listener = co_await network.listen("s:80");
  std::unique_ptr<Stream> stream = co_await listener->accept();
  std::vector<std::byte> room(4096);
  for (const Line& line : script) {
    std::string seen;
    while (seen.find(line.expect) == seen.npos) {
      const std::size_t count = co_await stream->read(room);
      if (count == 0) co_return;
      seen += as_text(Bytes(room).first(count));
    }
    co_await stream->write(as_bytes(line.answer));
  }
  co_await sleep(Duration::max());  // the connection stays
}

// Ten bytes, of which the second never comes.
class Stalls final : public http::BodySource {
 public:
  Task<std::string> read() override {
    if (began_) co_await sleep(Duration::max());
    began_ = true;
    co_return "x";
  }
  std::optional<std::uint64_t> length() const override { return 10; }

 private:
  bool began_ = false;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Task<std::string> ask(const http::Client& client, http::Request request) {
  http::Response response = co_await client(std::move(request));
  std::string body = co_await response.body.text(1 * MiB);
  co_return std::move(body);
}

http::Request post(http::Headers headers, http::Body body) {
  return http::Request("POST", *http::Url::parse("http://s/"), std::move(headers), std::move(body));
}

}  // namespace

TEST_CASE("client: with leave to send the body it goes out at once, without leave after a while") {
  for (const bool leave : {true, false}) {
    CAPTURE(leave);
    Sim sim(Seed{3});
    Scope scope(sim.reactor(), [](Error) {});
    scope.spawn(
        play(sim.network(), {{"\r\n\r\n", leave ? "HTTP/1.1 100 Continue\r\n\r\n" : ""}, {"body", ok}}));
    sim.settle();
    http::Client client(sim.network());
    CHECK(*sim.run(ask(client, post(http::Headers{{"Expect", "100-continue"}}, "body"))) == "ok");
    const Duration patience = http::ClientOptions().expect_continue_timeout;
    CHECK((sim.elapsed() < patience) == leave);
    CHECK(client.idle_connections() == 1);
    scope.cancel();
  }
}

TEST_CASE("client: a connection on which the request did not go out whole is not kept") {
  Sim sim(Seed{3});
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(play(sim.network(), {{"x", ok}}));
  sim.settle();
  http::Client client(sim.network());
  CHECK(*sim.run(ask(client, post({}, http::Body(std::make_unique<Stalls>())))) == "ok");
  CHECK(client.idle_connections() == 0);
  scope.cancel();
}
