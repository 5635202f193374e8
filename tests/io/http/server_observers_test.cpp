// An observer of a server may end the server, or its service: at once, from wherever it is called.

#include <functional>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/interim.h>
#include <escapement/io/http/server.h>
#include <escapement/io/http/upgrade.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/observe/access_log.h>
#include <escapement/timers/sleep.h>

#include "support/answers.h"
#include "support/raw_http.h"

using namespace escapement;

namespace {

// An entry of an access log: notified when the last of a request goes.
class Entry final : public http::BodyAttachment {
 public:
  explicit Entry(const std::function<void()>& sink) : sink_(sink) {}
  ~Entry() override { sink_(); }

 private:
  const std::function<void()>& sink_;
};

Task<> echo(std::unique_ptr<Stream> stream) {
  std::vector<std::byte> room(100);
  for (;;) {
    std::size_t count = co_await stream->read(room);
    if (count == 0) co_return;
    co_await stream->write(Bytes(room).first(count));
  }
}

struct World {
  explicit World(http::ServerOptions options = http::ServerOptions(),
                 SimNetworkOptions network = {.buffer = 4096})
      : sim(Seed{3}, network), server(service(*this), options), scope(sim.reactor(), [](Error) {}) {
    server.on_failure = [this](const Error&) { told(failures); };
    server.on_refused = [this](const http::Refusal&) { told(refusals); };
    sink = [this] { told(entries); };
  }

  static http::Service service(World& world) {
    http::AccessLog log;
    log.sink = [&world](std::string_view) { world.told(world.entries); };
    return http::layered(log, [&world](http::Request request) { return handle(world, std::move(request)); });
  }

  void serve(bool by_hand) {
    if (by_hand) {
      auto accept = [](World& world) -> Task<> {
        std::unique_ptr<Listener> listener = co_await world.sim.network().listen("s:80");
        for (;;) {
          std::unique_ptr<Stream> stream = co_await listener->accept();
          world.scope.spawn(world.server.serve_connection(std::move(stream)));
        }
      };
      scope.spawn(accept(*this));
    } else {
      scope.spawn(server.listen(sim.network(), "s:80"));
    }
    sim.settle();
  }

  void told(int& count) {
    ++count;
    if (ends_by_shutdown) server.shutdown(Duration());
    if (std::exchange(ends, false)) scope.cancel();  // once: not from within itself
  }

  static Task<http::Response> handle(World& world, http::Request request) {
    const std::string path = request.url.path();
    if (path == "/fails") co_await Error(Errc::internal, "on purpose");
    if (path.starts_with("/later")) co_await sleep(1s);
    if (path == "/later-fails") co_await Error(Errc::internal, "on purpose");
    if (path == "/never") co_await sleep(Duration::max());
    if (path == "/wrong") co_return http::Response(101, "no protocol");
    if (path == "/read") {
      std::string all = co_await request.body.text(1 * MiB);
    }
    http::Body guard(std::string("x"));
    guard.attach(std::make_unique<Entry>(world.sink));
    if (path == "/pieces" || path == "/breaks") {
      http::Response streamed(200, test::pieces({"a", "b", "c"}, 1s, path == "/breaks"));
      streamed.body.take_attachments(guard);
      co_return std::move(streamed);
    }
    if (path == "/upgrade") {
      http::Response response = http::upgrade_to(request, "echo", echo);
      response.body.take_attachments(guard);
      co_return std::move(response);
    }
    http::Response response(200, path == "/big" ? std::string(1 * MiB, 'b') : "x");
    response.body.take_attachments(guard);
    co_return std::move(response);
  }

  int failures = 0;
  int refusals = 0;
  int entries = 0;
  bool ends = false;
  bool ends_by_shutdown = false;
  std::function<void()> sink;
  Sim sim;
  http::Server server;
  Scope scope;
};

std::string request(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: s\r\n" + more + "\r\n";
}

}  // namespace

TEST_CASE("observers: whoever is told, of whatever, may cancel what serves, or shut it down") {
  const bool by_hand = GENERATE(false, true);  // serve_connection
  const bool by_shutdown = GENERATE(false, true);
  const std::string sent = GENERATE(
      request("/fails"), request("/later-fails"), request("/never"), request("/wrong"), request("/pieces"),
      request("/breaks"), request("/"), request("/later"), request("/big"), request("/") + request("/fails"),
      request("/later") + request("/later") + request("/later"), "nonsense\r\n\r\n", std::string("GET /"),
      request("/upgrade", "Connection: Upgrade\r\nUpgrade: echo\r\n"),
      "POST /read HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\nabc",
      "POST /read HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\nwrong\r\n");
  const bool leaves = GENERATE(false, true);  // the client, after a while
  CAPTURE(by_hand, by_shutdown, sent, leaves);
  World world;
  world.serve(by_hand);
  (by_shutdown ? world.ends_by_shutdown : world.ends) = true;
  std::vector<std::unique_ptr<Stream>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(*world.sim.run(world.sim.network().connect("s", 80)));
    world.sim.settle();
  }
  for (const std::unique_ptr<Stream>& client : clients) (void)client->write_now(as_bytes(sent));
  world.sim.advance(500ms);
  if (leaves) clients.clear();
  world.sim.advance(200s);
  clients.clear();
  world.sim.advance(1s);
  CHECK(world.failures + world.refusals + world.entries > 0);
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("observers: a request that is cut at the end of a shutdown's grace, or with its server") {
  const bool by_shutdown = GENERATE(false, true);
  const std::string path = GENERATE("/never", "/pieces", "/big", "/upgrade");
  CAPTURE(by_shutdown, path);
  World world;
  world.serve(false);
  const std::string more = path == "/upgrade" ? "Connection: Upgrade\r\nUpgrade: echo\r\n" : "";
  std::vector<std::unique_ptr<Stream>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(*world.sim.run(world.sim.network().connect("s", 80)));
    CHECK(world.sim.run(clients.back()->write(as_bytes(request(path, more)))));
  }
  world.sim.advance(500ms);
  CHECK(world.server.statistics().open == 3);
  world.ends = by_shutdown;
  if (by_shutdown) {
    world.server.shutdown(100ms);
    world.sim.advance(1s);
  } else {
    world.scope.cancel();
  }
  CHECK(world.entries == (path == "/never" ? 3 : 6));
  CHECK(world.server.statistics().open == 0);
}

TEST_CASE("server: HTTP inside an upgraded connection of its own goes with it") {
  enum class End { server, serving, client };
  const End end = GENERATE(End::server, End::serving, End::client);
  const int depth = GENERATE(1, 2, 3);
  Sim sim;
  std::optional<http::Server> server;
  Scope scope(sim.reactor(), [](Error) {});
  auto handler = [&server](http::Request request) -> Task<http::Response> {
    if (request.url.path() == "/")
      co_return http::upgrade_to(request, "http", [&server](std::unique_ptr<Stream> stream) {
        return server->serve_connection(std::move(stream));
      });
    co_await sleep(10s);
    co_return http::Response(200);
  };
  server.emplace(handler);
  scope.spawn(server->listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  std::unique_ptr<Stream> other = *sim.run(sim.network().connect("s", 80));
  for (int i = 0; i < depth; ++i) {
    for (Stream* const one : {stream.get(), other.get()}) {
      CHECK(sim.run(one->write(as_bytes(request("/", "Connection: Upgrade\r\nUpgrade: http\r\n")))));
    }
    sim.advance(100ms);
  }
  CHECK(sim.run(stream->write(as_bytes(request("/slow")))));
  sim.advance(1s);
  CHECK(server->statistics().open == static_cast<std::size_t>(2 + 2 * depth));
  if (end == End::server) {
    scope.cancel();
    server.reset();
  }
  if (end == End::serving) scope.cancel();
  if (end == End::client) {
    stream.reset();
    other.reset();
  }
  sim.advance(100ms);
  if (server) CHECK(server->statistics().open == 0);
}

TEST_CASE("server: what is told while a 100 Continue waits for room stops nobody") {
  const bool gives_up = GENERATE(false, true);  // the handler, reading
  CAPTURE(gives_up);
  Sim sim(Seed{1}, SimNetworkOptions{.buffer = 4096});
  auto handler = [gives_up](http::Request request) -> Task<http::Response> {
    auto read = [](http::Body& body, std::string& all) -> Task<> { all = co_await body.text(1 * MiB); };
    std::string all;
    Result<> hinted = http::inform(request, 103, http::Headers{{"Link", std::string(50'000, 'l')}});
    CHECK(hinted);
    Scope reading(co_await this_reactor, [](Error) {});
    reading.spawn(read(request.body, all));
    for (int i = 0; i < 5; ++i) {
      co_await sleep(100ms);
      CHECK(http::inform(request, 102));
    }
    if (gives_up) reading.cancel();
    co_await sleep(1s);
    CHECK(http::inform(request, 102));
    co_await reading.join();
    co_return http::Response(200, "read " + std::to_string(all.size()));
  };
  http::Server server(handler);
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  CHECK(sim.run(stream->write(
      as_bytes("POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"))));
  sim.advance(3s);
  CHECK(sim.run(stream->write(as_bytes("abc"))));
  const std::string all = test::read_for(sim, *stream, 5s);
  CHECK(test::statuses(all) == "103 100 102 102 102 102 102 102 200 ");
  CHECK(all.ends_with(gives_up ? "read 0 end" : "read 3"));
}

TEST_CASE("server: two listeners and one slot, which either may fill") {
  Sim sim;
  http::ServerOptions options;
  options.connections_max = 1;
  http::Server server([](http::Request) -> Task<http::Response> { co_return http::Response(200, "x"); },
                      options);
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  scope.spawn(server.listen(sim.network(), "s:81"));
  sim.settle();
  for (const std::uint16_t port : {81, 80, 81, 81, 80}) {
    std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", port));
    CHECK(sim.run(stream->write(as_bytes(request("/")))));
    CHECK(test::statuses(test::read_for(sim, *stream, 1s)) == "200 ");
  }
  // And with both asking, one after the other.
  std::unique_ptr<Stream> first = *sim.run(sim.network().connect("s", 80));
  std::unique_ptr<Stream> second = *sim.run(sim.network().connect("s", 81));
  CHECK(sim.run(second->write(as_bytes(request("/", "Connection: close\r\n")))));
  CHECK(test::statuses(test::read_for(sim, *second, 1s)).empty());
  first.reset();
  CHECK(test::statuses(test::read_for(sim, *second, 1s)) == "200 ");
}

TEST_CASE("server: a 205 has no content, whatever its handler returns") {
  const bool streams = GENERATE(false, true);
  const bool head = GENERATE(false, true);
  Sim sim;
  auto handler = [streams](http::Request) -> Task<http::Response> {
    http::Headers headers{{"Content-Length", "5"}};
    if (streams) co_return http::Response(205, http::Headers(), test::pieces({"hello"}));
    co_return http::Response(205, std::move(headers), std::string("hello"));
  };
  http::Server server(handler);
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  const std::string asked = std::string(head ? "HEAD" : "GET") + " / HTTP/1.1\r\nHost: s\r\n\r\n";
  CHECK(sim.run(stream->write(as_bytes(asked + asked))));
  const std::string all = test::read_for(sim, *stream, 1s);
  CHECK(test::statuses(all) == "205 205 ");
  CHECK(all.find("hello") == all.npos);
  CHECK(all.find("Content-Length: 0\r\n") != all.npos);
  CHECK(all.find("chunked") == all.npos);
}

TEST_CASE("server: connections for each peer are counted by its network") {
  class From final : public Stream {
   public:
    From(std::unique_ptr<Stream> inner, std::string_view host) : inner_(std::move(inner)), host_(host) {}
    Task<std::size_t> read_task(MutableBytes into) override { return inner_->read_task(into); }
    Task<> write_task(Bytes bytes) override { return inner_->write_task(bytes); }
    Task<> shutdown_write() override { return inner_->shutdown_write(); }
    bool readable_or_closed() override { return inner_->readable_or_closed(); }
    std::string peer() const override { return std::string(host_); }
    std::optional<HostKey> peer_host() const override { return parse_host_key(host_); }

   private:
    std::unique_ptr<Stream> inner_;
    std::string_view host_;
  };
  class Hosts final : public Listener {
   public:
    explicit Hosts(std::vector<std::string_view> hosts) : hosts_(std::move(hosts)) {}
    Task<std::unique_ptr<Stream>> accept() override {
      if (next_ == hosts_.size()) co_await sleep(Duration::max());
      PipeEnds ends = pipe();
      kept_.push_back(std::move(ends.first));
      co_return std::make_unique<From>(std::move(ends.second), hosts_[next_++]);
    }
    std::uint16_t port() const override { return 80; }
    std::string address() const override { return "hosts:80"; }

   private:
    std::vector<std::string_view> hosts_;
    std::vector<std::unique_ptr<Stream>> kept_;
    std::size_t next_ = 0;
  };
  Sim sim;
  http::ServerOptions options;
  options.connections_per_peer_max = 2;
  http::Server server([](http::Request) -> Task<http::Response> { co_return http::Response(200); }, options);
  Scope scope(sim.reactor(), [](Error) {});
  const std::vector<std::string_view> hosts{
      "2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3",  // the third of one network
      "2001:db8:1:3::1", "10.0.0.1",        "10.0.0.2",
      "10.0.0.1",        "10.0.0.1",        "::ffff:10.0.0.2",  // the third of 10.0.0.1
      "::ffff:10.0.0.2"};                                       // and of 10.0.0.2
  scope.spawn(server.serve(std::make_unique<Hosts>(hosts)));
  sim.settle();
  CHECK(server.statistics().turned_away == 3);
  CHECK(server.statistics().open == 7);
}

TEST_CASE("host key: addresses as text, and their networks") {
  const auto network = [](std::string_view text) {
    const std::optional<HostKey> host = parse_host_key(text);
    return host ? network_text(network_of(*host)) : "none";
  };
  CHECK(network("10.0.0.255") == "10.0.0.255");
  CHECK(network("::ffff:1.2.3.4") == "1.2.3.4");
  CHECK(network("::ffff:102:304") == "1.2.3.4");
  CHECK(network("::1") == "0:0:0:0::");
  CHECK(network("fe80::1%eth0") == "fe80:0:0:0::");
  CHECK(network("2001:DB8:1:2:3:4:5:6") == "2001:db8:1:2::");
  CHECK(network("64:ff9b::1.2.3.4") == "64:ff9b:0:0::");
  for (const char* const none :
       {"", "a", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "::1::", ":::", "1:2:3:4:5:6:7::8:9", "12345::", "::g", "1.2.3.4:80", "+1.2.3.4"}) {
    CAPTURE(none);
    CHECK(network(none) == "none");
  }
}
