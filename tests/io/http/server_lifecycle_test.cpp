// The life of a server's connections over TLS: idle, shutting down, closing. On real sockets and simulated,
// with bytes that come before anything has reported them.

#include <functional>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/failing_calls.h"
#include "support/loops.h"
#include "support/read_and_write.h"
#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;

namespace {

// A reactor and its network: sockets, or a simulation in which what is written is there at once.
struct Host {
  explicit Host(std::string_view kind) {
    if (kind == "sim") {
      sim = std::make_unique<Sim>(Seed{3}, SimNetworkOptions{.latency = Duration()});
      sim->network().add_host("127.0.0.1");
    } else {
      loop = make_loop(std::string(kind).c_str());
    }
  }
  Reactor& reactor() { return sim ? sim->reactor() : loop->reactor(); }
  Network& network() { return sim ? static_cast<Network&>(sim->network()) : loop->network(); }
  template <class T>
  Result<T> run(Task<T> task) {
    return reactor().run(with_timeout(60s, std::move(task)));
  }

  std::unique_ptr<Loop> loop;
  std::unique_ptr<Sim> sim;
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

// A client of the server, and the transport under its TLS, by which it can say what is no TLS.
struct Client {
  Client(std::unique_ptr<TlsStream> s, Stream& u) : stream(std::move(s)), under(u) {}
  Client(Client&&) = default;
  std::unique_ptr<TlsStream> stream;
  Stream& under;
};

Task<Client> connect(Host& host, TlsClient tls, std::uint16_t port) {
  std::unique_ptr<Stream> plain = co_await host.network().connect("127.0.0.1", port);
  Stream& under = *plain;
  std::unique_ptr<TlsStream> stream = co_await tls.connect(std::move(plain), "a.test");
  co_return Client(std::move(stream), under);
}

Task<> ask(Stream& stream) {
  co_await stream.write(as_bytes(get));
  std::string answer;
  while (!answer.ends_with("\r\n\r\nx")) {
    std::string room(4096, '\0');
    const std::size_t count = co_await stream.read(as_room(room));
    if (count == 0) co_await Error(Errc::reset, "no answer");
    answer += room.substr(0, count);
  }
}

Task<> until(const std::function<bool()>& true_at_last) {
  while (!true_at_last()) co_await sleep(1ms);
}

// A server that has answered `count` TLS clients, which are idle now.
struct World {
  World(std::string_view kind, http::ServerOptions options, TlsVersion version = TlsVersion::tls13)
      : host(kind),
        client(make_client(of(version))),
        tls(make_server(serving("a"))),
        server([](http::Request) -> Task<http::Response> { co_return http::Response(200, "x"); }, options),
        scope(host.reactor(), [](Error) {}) {}

  static TlsClientOptions of(TlsVersion version) {
    TlsClientOptions options = trusting_ca();
    options.newest = version;
    return options;
  }

  Task<> begin(int count, bool asks = true, bool joinable = true) {
    std::unique_ptr<Listener> listener = co_await host.network().listen("127.0.0.1:0");
    port = listener->port();
    if (joinable) {
      serving_.emplace(scope.spawn_joinable(server.serve(tls.wrap(std::move(listener)))));
    } else {
      scope.spawn(server.serve(tls.wrap(std::move(listener))));
    }
    for (int i = 0; i < count; ++i) {
      Client made = co_await connect(host, client, port);
      clients.push_back(std::move(made));
      if (asks) co_await ask(*clients.back().stream);
    }
    const std::size_t open = static_cast<std::size_t>(count);
    co_await until([this, open] { return server.statistics().open == open; });
  }

  // The thread stands still until `at`, so that all that is due by then is due in one turn.
  void stand_still_until(Instant at) {
    if (host.sim) return;
    while (host.reactor().precise_now() < at) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  Host host;
  TlsClient client;
  TlsServer tls;
  http::Server server;
  Scope scope;
  std::uint16_t port = 0;
  std::optional<JoinHandle<void>> serving_;
  std::vector<Client> clients;
};

http::ServerOptions idle_for(Duration limit) {
  http::ServerOptions options;
  options.idle_timeout = limit;
  return options;
}

}  // namespace

TEST_CASE("lifecycle, TLS: bytes come in the turn in which the idle time ends") {
  const std::string kind = ESC_EACH_BACKEND_AND_SIM();
  const TlsVersion version = GENERATE(TlsVersion::tls12, TlsVersion::tls13);
  // A part of a record, what is no TLS, and a whole request.
  const std::string bytes = GENERATE("\x17", "GET / HTTP/1.1\r\n\r\n", "");
  CAPTURE(kind, bytes);
  World world(kind, idle_for(600ms), version);
  auto run = [](World& world, const std::string& bytes) -> Task<> {
    constexpr int count = 10;
    co_await world.begin(count);
    const Instant idle_at = world.host.reactor().now();
    // Due in the same turn as the server's idle limits, and before them.
    auto speak = [](World& world, Instant at, const std::string& bytes) -> Task<> {
      co_await sleep_until(at);
      for (Client& client : world.clients) {
        const std::string_view sent = bytes.empty() ? get : std::string_view(bytes);
        Stream& stream = bytes.empty() ? static_cast<Stream&>(*client.stream) : client.under;
        CHECK(stream.write_now(as_bytes(sent)) == sent.size());
      }
    };
    Scope scope(world.host.reactor());
    scope.spawn(speak(world, idle_at + 350ms, bytes));
    co_await sleep_until(idle_at + 300ms);
    world.stand_still_until(idle_at + 700ms);
    if (bytes.empty()) {
      for (Client& client : world.clients) {
        std::string room(4096, '\0');
        const std::size_t got = co_await client.stream->read(as_room(room));
        CHECK(room.substr(0, got).starts_with("HTTP/1.1 200 OK\r\n"));
      }
    }
    co_await until([&world] { return world.server.statistics().open == 0; });
    co_await scope.join();
  };
  CHECK(outcome_text(world.host.run(run(world, bytes))) == "");
}

TEST_CASE("lifecycle, TLS: bytes come while a shutdown closes what is idle") {
  const std::string kind = ESC_EACH_BACKEND_AND_SIM();
  const std::string bytes = GENERATE("\x17", "GET / HTTP/1.1\r\n\r\n", "");
  const int turns = GENERATE(0, 1, 2, 3, 5);
  CAPTURE(kind, bytes, turns);
  World world(kind, http::ServerOptions());
  auto run = [](World& world, const std::string& bytes, int turns) -> Task<> {
    co_await world.begin(10);
    const Instant began = world.host.reactor().now();
    world.server.shutdown(30s);
    for (int i = 0; i < turns; ++i) co_await yield();
    for (Client& client : world.clients) {
      const std::string_view sent = bytes.empty() ? get : std::string_view(bytes);
      Stream& stream = bytes.empty() ? static_cast<Stream&>(*client.stream) : client.under;
      (void)stream.write_now(as_bytes(sent));
    }
    co_await std::move(*world.serving_).join();
    // A client that was closed before has asked nobody; the others have their response.
    for (Client& client : world.clients) {
      std::string room(4096, '\0');
      Result<std::size_t> got = co_await client.stream->read(as_room(room)).result();
      if (got && *got != 0) CHECK(room.starts_with("HTTP/1.1 200 OK\r\n"));
      if (turns == 0 && bytes.empty()) CHECK((got && *got != 0));
    }
    CHECK(world.host.reactor().now() - began < 10s);
  };
  CHECK(outcome_text(world.host.run(run(world, bytes, turns))) == "");
}

TEST_CASE("lifecycle, TLS: a record that never becomes whole keeps no connection open") {
  const std::string kind = ESC_EACH_BACKEND_AND_SIM();
  const bool asks = GENERATE(true, false);  // before
  const int pieces = GENERATE(1, 100);      // of it, one every 20 ms
  CAPTURE(kind, asks, pieces);
  http::ServerOptions options;
  options.idle_timeout = options.head_timeout = options.handler_timeout = options.body_idle = 400ms;
  World world(kind, options);
  auto run = [](World& world, bool asks, int pieces) -> Task<> {
    co_await world.begin(1, asks);
    const Instant began = world.host.reactor().precise_now();
    auto trickle = [](Stream& stream, int pieces) -> Task<> {
      for (int i = 0; i < pieces; ++i) {
        const std::string_view bytes = i == 0 ? "\x17\x03\x03\x3f" : "x";
        co_await stream.write(as_bytes(bytes));
        co_await sleep(20ms);
      }
    };
    Scope scope(world.host.reactor(), [](Error) {});
    scope.spawn(trickle(world.clients.front().under, pieces));
    co_await until([&world] { return world.server.statistics().open == 0; });
    CHECK(world.host.reactor().now() - began < 1500ms);
  };
  CHECK(outcome_text(world.host.run(run(world, asks, pieces))) == "");
}

TEST_CASE("lifecycle, TLS: a shutdown does not wait for a record that never becomes whole") {
  const std::string kind = ESC_EACH_BACKEND_AND_SIM();
  CAPTURE(kind);
  World world(kind, http::ServerOptions());
  auto run = [](World& world) -> Task<> {
    co_await world.begin(3);
    for (Client& client : world.clients) co_await client.under.write(as_bytes("\x17"));
    co_await sleep(50ms);
    const Instant began = world.host.reactor().precise_now();
    world.server.shutdown(30s);
    co_await std::move(*world.serving_).join();
    CHECK(world.host.reactor().now() - began < 5s);
  };
  CHECK(outcome_text(world.host.run(run(world))) == "");
}

TEST_CASE("lifecycle, TLS: a shutdown answers every client that has asked before it") {
  const std::string kind = ESC_EACH_BACKEND_AND_SIM();
  CAPTURE(kind);
  World world(kind, http::ServerOptions());
  auto run = [](World& world) -> Task<> {
    co_await world.begin(40);
    auto busy = [](Client& client, int& answers, bool& stop) -> Task<> {
      while (!stop) {
        co_await ask(*client.stream);
        ++answers;
      }
    };
    int answers = 0;
    bool stop = false;
    Scope scope(world.host.reactor(), [](Error) {});
    for (Client& client : world.clients) scope.spawn(busy(client, answers, stop));
    for (int i = 0; i < 300; ++i) co_await yield();
    const std::uint64_t asked = world.server.statistics().requests;
    world.server.shutdown(10s);
    co_await std::move(*world.serving_).join();
    CHECK(world.server.statistics().requests >= asked);
    CHECK(world.server.statistics().failed_handlers == 0);
    CHECK(world.server.shutdown_report().cancelled == 0);
    stop = true;
  };
  CHECK(outcome_text(world.host.run(run(world))) == "");
}

TEST_CASE("lifecycle, TLS: connections are closed without memory") {
  const std::string kind = ESC_EACH_BACKEND();  // a simulated network needs memory itself
  const bool asks = GENERATE(true, false);      // else they have only said hello
  const bool by_cancelling = GENERATE(true, false);
  CAPTURE(kind, asks, by_cancelling);
  World world(kind, http::ServerOptions());
  auto run = [](World& world, bool asks, bool by_cancelling) -> Task<> {
    co_await world.begin(5, asks, false);
    co_await sleep(20ms);
    if (by_cancelling) {
      FailingCall no_memory(Call::allocate, 0);
      world.scope.cancel();
    } else {
      // The clients close theirs.
      FailingCall no_memory(Call::allocate, 0);
      for (Client& client : world.clients) client.stream.reset();
    }
    if (by_cancelling) {
      CHECK(world.server.statistics().open == 0);
      for (Client& client : world.clients) {
        std::string room(100, '\0');
        // A client that has asked nothing yet may miss the close_notify, for which there was no memory
        // either.
        Result<std::size_t> end = co_await client.stream->read(as_room(room)).result();
        CHECK((end ? *end == 0 : !asks && end.error() == Errc::reset));
      }
    }
    co_await until([&world] { return world.server.statistics().open == 0; });
  };
  CHECK(outcome_text(world.host.run(run(world, asks, by_cancelling))) == "");
}
