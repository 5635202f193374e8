// The side that closes an idle connection: the client's time is the shorter one, and the server announces its
// own.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

Task<http::Response> hello(http::Request) { co_return http::Response(200, "hello"); }

struct World {
  explicit World(Duration idle_timeout) : server(hello, options(idle_timeout)), scope(sim.reactor()) {
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }
  static http::ServerOptions options(Duration idle_timeout) {
    http::ServerOptions options;
    options.idle_timeout = idle_timeout;
    return options;
  }

  // The response's head to these bytes.
  std::string head(std::string request) {
    auto talk = [](SimNetwork& network, std::string request) -> Task<std::string> {
      std::unique_ptr<Stream> stream = co_await network.connect("s", 80);
      co_await stream->write(as_bytes(request));
      std::string all;
      std::vector<std::byte> room(4096);
      while (all.find("\r\n\r\n") == all.npos) {
        const std::size_t count = co_await stream->read(room);
        all += as_text(Bytes(room).first(count));
      }
      co_return all.substr(0, all.find("\r\n\r\n") + 2);
    };
    return *sim.run(talk(sim.network(), std::move(request)));
  }

  Sim sim;
  http::Server server;
  Scope scope;
};

bool has(const std::string& head, std::string_view line) { return head.find(line) != head.npos; }

}  // namespace

TEST_CASE("keep-alive: by default the client closes first") {
  CHECK(http::ClientOptions().idle_timeout < http::ServerOptions().idle_timeout);
}

TEST_CASE("keep-alive: the server tells who asks by name for how long it keeps the connection") {
  World world(20'900ms);
  const std::string told = "Connection: keep-alive\r\nKeep-Alive: timeout=20\r\n";
  CHECK(has(world.head("GET / HTTP/1.1\r\nHost: s\r\nConnection: keep-alive\r\n\r\n"), told));
  CHECK(has(world.head("GET / HTTP/1.1\r\nHost: s\r\nConnection: x, Keep-Alive\r\n\r\n"), told));
  CHECK(has(world.head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), told));
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost: s\r\n\r\n", "GET / HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: s\r\nConnection: keep-alive, close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    CAPTURE(request);
    CHECK_FALSE(has(world.head(request), "eep-"));
  }

  for (const Duration odd : {Duration(999ms), Duration::max()}) {
    World other(odd);
    const std::string head = other.head("GET / HTTP/1.1\r\nHost: s\r\nConnection: keep-alive\r\n\r\n");
    CHECK_FALSE(has(head, "Keep-Alive"));
    CHECK(has(other.head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "Connection: keep-alive\r\n"));
  }
}
