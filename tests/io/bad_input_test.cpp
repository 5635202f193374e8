// The errors of the public entries of io/http and the layers for input that is wrong, where no other test
// asks.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

class Pieces final : public http::BodySource {
 public:
  explicit Pieces(int count) : left_(count) {}
  Task<std::string> read() override { co_return left_-- > 0 ? std::string(10, 'p') : std::string(); }

 private:
  int left_;
};

struct Counting {
  int* calls;
  int status;
  Task<http::Response> operator()(http::Request) const {
    ++*calls;
    http::Response response(status);
    response.headers.add("Location", "/again" + std::to_string(*calls));
    co_return std::move(response);
  }
};

Task<http::Response> slow(http::Request) {
  co_await sleep(1h);
  co_return http::Response(200);
}

Task<http::Response> odd(http::Request request) {
  if (request.url.path() == "/status") co_return http::Response(99, "x");
  if (request.url.path() == "/name") co_return http::Response(200, http::Headers{{"A B", "x"}}, "x");
  if (request.url.path() == "/value") co_return http::Response(200, http::Headers{{"A", "x\r\nB: y"}}, "x");
  co_return http::Response(200, "fine");
}

Task<http::Response> call(http::Service service, http::Request request) {
  co_return co_await service(std::move(request));
}

}  // namespace

TEST_CASE("bad input: a client refuses what cannot or may not be sent, and sends nothing of it") {
  Sim sim;
  http::Server server(odd);
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "hub.test:80"));
  sim.settle();
  http::Client client(sim.network());
  const auto failure = [&](http::Request request) {
    Result<http::Response> outcome = sim.run(call(client, std::move(request)));
    REQUIRE(!outcome);
    CHECK(!outcome.error().message().empty());
    return outcome.error().code();
  };
  CHECK(failure(http::get("https://hub.test/")) == Errc::unsupported);
  CHECK(failure(http::get("http://nobody.test/")) == Errc::not_found);
  CHECK(failure(http::get("http://127.0.0.1:1/")) == Errc::unavailable);
  http::Url url = *http::Url::parse("http://hub.test/");
  CHECK(failure(http::Request("G T", url)) == Errc::invalid_argument);
  CHECK(failure(http::Request("", url)) == Errc::invalid_argument);
  CHECK(failure(http::Request("GET", url, http::Headers{{"A", "b\r\nC: d"}})) == Errc::invalid_argument);
  CHECK(failure(http::Request("GET", url, http::Headers{{"A b", "c"}})) == Errc::invalid_argument);
  CHECK(failure(http::Request("POST", url, http::Headers{{"Content-Length", "1"}}, "two")) ==
        Errc::invalid_argument);
  CHECK(server.statistics().requests + server.statistics().refused == 0);
  CHECK(client.connections_made() == 0);
}

TEST_CASE("bad input: a body of more than was asked for") {
  Sim sim;
  const auto read = [&](http::Body body, std::size_t max) {
    auto all = [](http::Body& from, std::size_t most) -> Task<std::string> {
      co_return co_await from.text(most);
    };
    return sim.run(all(body, max));
  };
  CHECK(read(http::Body("four"), 4));
  CHECK(read(http::Body("four"), 3).error() == Errc::limit_exceeded);
  CHECK(read(http::Body(std::make_unique<Pieces>(3)), 30));
  CHECK(read(http::Body(std::make_unique<Pieces>(3)), 29).error() == Errc::limit_exceeded);
  CHECK(read(http::Body(), 0));
}

TEST_CASE("bad input: a server is told what is no address") {
  Sim sim;
  http::Server server(slow);
  for (const char* wrong : {"", "hub.test", "hub.test:x", "hub.test:70000", "::1:80"}) {
    CAPTURE(wrong);
    CHECK(sim.run(server.listen(sim.network(), wrong)).error() == Errc::invalid_argument);
  }
}

TEST_CASE("bad input: what a handler may not answer is a 500") {
  Sim sim;
  http::Server server(odd);
  int told = 0;
  server.on_failure = [&](const Error& error) {
    ++told;
    CHECK(error == Errc::invalid_argument);
  };
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "hub.test:80"));
  http::Client client(sim.network());
  sim.settle();
  for (const char* path : {"/status", "/name", "/value"}) {
    Result<http::Response> answer = sim.run(call(client, http::get(std::string("http://hub.test") + path)));
    REQUIRE(answer);
    CHECK(answer->status == 500);
  }
  CHECK(told == 3);
  CHECK(sim.run(call(client, http::get("http://hub.test/")))->status == 200);
}

TEST_CASE("bad input: layers with settings at their edge") {
  Sim sim;
  int calls = 0;
  http::Service retry = http::layered(http::Retry{.attempts = 0}, Counting{&calls, 503});
  CHECK(sim.run(call(retry, http::get("http://h/")))->status == 503);
  CHECK(calls == 1);
  calls = 0;
  http::Service redirect = http::layered(http::Redirect{.hops_max = 0}, Counting{&calls, 302});
  CHECK(sim.run(call(redirect, http::get("http://h/"))).error() == Errc::limit_exceeded);
  CHECK(calls == 1);
  for (const Duration limit : {Duration(), Duration() - Duration(1s)}) {
    http::Service timeout = http::layered(http::Timeout{limit}, slow);
    CHECK(sim.run(call(timeout, http::get("http://h/"))).error() == Errc::timed_out);
  }
  CHECK(sim.elapsed() == Duration());
}
