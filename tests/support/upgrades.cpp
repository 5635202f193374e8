#include "support/upgrades.h"

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/interim.h>
#include <escapement/io/http/server.h>
#include <escapement/io/http/upgrade.h>

#include "support/read_and_write.h"

namespace escapement::test {

namespace {

Task<> echo(std::unique_ptr<Stream> stream) {
  std::vector<std::byte> room(1000);
  for (;;) {
    std::size_t count = co_await stream->read(room);
    if (count == 0) break;
    co_await stream->write(Bytes(room).first(count));
  }
  co_await stream->shutdown_write();
}

Task<http::Response> handle(http::Request request) {
  if (request.url.path() == "/later") co_await yield();
  if (request.url.path() != "/plain") co_return http::upgrade_to(request, "echo", echo);
  co_await http::early_hints(request, "</x>");
  co_return http::Response(200, "plain");
}

Task<> converse(StreamWorld& world, std::string path) {
  StreamPair ends = co_await world.open();
  http::ServerOptions options;
  options.half_close = true;  // the client ends its direction while the handler may still be at work
  http::Server server(handle, options);
  Scope scope(world.reactor(), [](Error) {});
  scope.spawn(server.serve_connection(std::move(ends.second)));
  const std::string sent = sample(20'000);
  const std::string head = "GET /plain HTTP/1.1\r\nHost: a.test\r\n\r\nGET " + path +
                           " HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: other, Echo\r\n\r\n";
  const std::string all_sent = head + sent;
  std::string received;
  auto receive = [](Stream& stream, std::string& into) -> Task<> { into = co_await read_all(stream); };
  co_await all(write_all(*ends.first, all_sent), receive(*ends.first, received));
  const std::size_t first = received.find("HTTP/1.1 101 ");
  const std::string before = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n";
  CHECK(received.substr(0, before.size()) == before);
  CHECK(received.substr(first - 5, 5) == "plain");
  CHECK((received.substr(first) ==
         "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n" + sent));
  co_await scope.join();
  CHECK(server.statistics().open == 0);
}

// Leaves the stream to the test.
class UpgradedWorld final : public StreamWorld {
 public:
  explicit UpgradedWorld(std::unique_ptr<StreamWorld> world) : world_(std::move(world)) {}
  Reactor& reactor() override { return world_->reactor(); }
  Task<StreamPair> open() override {
    StreamPair ends = co_await world_->open();
    std::unique_ptr<Stream> kept;
    auto keep = [&kept](std::unique_ptr<Stream> stream) -> Task<> {
      kept = std::move(stream);
      co_return;
    };
    auto leave = [&keep](http::Request request) -> Task<http::Response> {
      co_return http::upgrade_to(request, "kept", keep);
    };
    http::Server server(leave);
    // The byte behind the head is there with it, so the stream is one that begins with it.
    const std::string asks =
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: kept\r\n\r\nx";
    co_await ends.first->write(as_bytes(asks));
    co_await server.serve_connection(std::move(ends.second));
    const std::string answer =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: kept\r\n\r\n";
    std::string head = co_await read_exactly(*ends.first, answer.size());
    CHECK(head == answer);
    std::string first = co_await read_exactly(*kept, 1);
    CHECK(first == "x");
    co_return StreamPair(std::move(ends.first), std::move(kept));
  }

 private:
  std::unique_ptr<StreamWorld> world_;
};

}  // namespace

void check_upgrades(const std::vector<StreamKind>& kinds) {
  for (const StreamKind& kind : kinds) {
    for (const char* path : {"/at-once", "/later"}) {
      CAPTURE(kind.name, path);
      std::unique_ptr<StreamWorld> world = kind.make();
      CHECK(world->reactor().run(converse(*world, path)));
    }
  }
}

StreamKind upgraded(const StreamKind& kind) {
  return {kind.name + ", upgraded", [make = kind.make] { return std::make_unique<UpgradedWorld>(make()); }};
}

}  // namespace escapement::test
