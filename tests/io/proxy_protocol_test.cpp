// The PROXY protocol on streams, simulated.

#include <escapement/io/proxy_protocol.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/read_and_write.h"
#include "support/stream_contract.h"

using namespace escapement;

namespace {

ProxyProtocol make_proxy(ProxyProtocolOptions options = ProxyProtocolOptions()) {
  if (options.trusted.empty()) options.trusted = {"0.0.0.0/0", "::/0", "unix"};
  Result<ProxyProtocol> made = ProxyProtocol::make(std::move(options));
  REQUIRE(made);
  return *std::move(made);
}

const std::string line = "PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n";

// The stream behind a header that came in one piece with its first byte, or in many.
class ProxiedWorld final : public test::StreamWorld {
 public:
  ProxiedWorld(PipeOptions pipe_options, int version) : pipe_options_(pipe_options) {
    header_.version = version;
    header_.transport = ProxyTransport::tcp6;
    header_.source = ProxyAddress(*parse_host_key("2001:db8::7"), 4711);
    header_.destination = ProxyAddress(*parse_host_key("::1"), 80);
  }
  Reactor& reactor() override { return sim_.reactor(); }
  Task<test::StreamPair> open() override {
    PipeEnds ends = pipe(pipe_options_);
    using Both = std::tuple<std::monostate, std::unique_ptr<ProxiedStream>>;
    Both both = co_await all(write_proxy_header(*ends.first, header_), proxy_.accept(std::move(ends.second)));
    co_return test::StreamPair(std::move(ends.first), std::move(std::get<1>(both)));
  }

 private:
  Sim sim_;
  PipeOptions pipe_options_;
  ProxyProtocol proxy_ = make_proxy();
  ProxyHeader header_;
};

struct Failures {
  std::vector<Errc> kinds;
  std::function<void(const Error&)> observer() {
    return [this](const Error& error) { kinds.push_back(error.code()); };
  }
};

}  // namespace

TEST_CASE("proxy protocol: the stream behind a header keeps the Stream contract") {
  std::vector<test::StreamKind> kinds;
  for (const int version : {1, 2}) {
    for (const std::size_t size : {1, 7, 100'000}) {
      PipeOptions options;
      options.read_max = size;
      kinds.push_back({"version " + std::to_string(version) + ", reads of " + std::to_string(size),
                       [=] { return std::make_unique<ProxiedWorld>(options, version); }});
    }
  }
  test::check_stream_contract(kinds);
}

TEST_CASE("proxy protocol: the peer is the client, and bytes behind the header are the stream's first") {
  Sim sim;
  auto run = [&]() -> Task<> {
    PipeEnds ends = pipe();
    co_await ends.first->write(as_bytes(line + "first bytes"));
    std::unique_ptr<ProxiedStream> stream = co_await make_proxy().accept(std::move(ends.second));
    CHECK(stream->peer() == "203.0.113.7:4711");
    CHECK(stream->peer_host() == parse_host_key("203.0.113.7"));
    REQUIRE(stream->header() != nullptr);
    CHECK(stream->header()->destination.text() == "198.51.100.1:443");
    CHECK(stream->readable_or_closed());
    std::string got = co_await test::read_exactly(*stream, 11);
    CHECK(got == "first bytes");
    CHECK(!stream->readable_or_closed());
    // Without a client, the connection's own peer.
    ends = pipe();
    co_await ends.first->write(as_bytes("PROXY UNKNOWN\r\n"));
    stream = co_await make_proxy().accept(std::move(ends.second));
    CHECK(stream->peer() == "pipe");
    CHECK(!stream->peer_host());
    ends = pipe();
    ProxyHeader header;
    header.transport = ProxyTransport::unix_stream;
    header.source.path = "/run/client";
    co_await write_proxy_header(*ends.first, header);
    stream = co_await make_proxy().accept(std::move(ends.second));
    CHECK(stream->peer() == "unix:/run/client");
    CHECK(!stream->peer_host());
  };
  CHECK(sim.run(run()));
}

TEST_CASE("proxy protocol: only trusted peers are heard") {
  Sim sim;
  const auto accepts = [&](std::vector<std::string> trusted) -> Task<Errc> {
    ProxyProtocolOptions options;
    options.trusted = std::move(trusted);
    Result<ProxyProtocol> proxy = ProxyProtocol::make(options);
    std::unique_ptr<Listener> listener = co_await sim.network().listen("10.1.2.3:80");
    std::unique_ptr<Stream> client = co_await sim.network().connect("10.1.2.3", 80);
    std::unique_ptr<Stream> accepted = co_await listener->accept();
    co_await client->write(as_bytes(line));
    // The accepted stream's peer has an address of the simulation.
    Result<std::unique_ptr<ProxiedStream>> stream = co_await proxy->accept(std::move(accepted)).result();
    if (stream) co_return Errc::cancelled;  // stands for success
    std::string room(1, '\0');
    Result<std::size_t> reset = co_await client->read(test::as_room(room)).result();
    CHECK(reset.error() == Errc::reset);
    co_return stream.error().code();
  };
  std::optional<HostKey> own;
  auto find = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await sim.network().listen("10.1.2.3:80");
    std::unique_ptr<Stream> client = co_await sim.network().connect("10.1.2.3", 80);
    std::unique_ptr<Stream> accepted = co_await listener->accept();
    own = accepted->peer_host();
  };
  REQUIRE(sim.run(find()));
  REQUIRE(own);
  const std::string address = ProxyAddress(*own, 0).text();
  const std::string host = address.substr(0, address.rfind(':'));
  CAPTURE(host);
  const auto outcome = [&](std::vector<std::string> trusted) {
    return *sim.run(accepts(std::move(trusted)));
  };
  CHECK(outcome({host}) == Errc::cancelled);
  CHECK(outcome({"203.0.113.1", host + "/8"}) == Errc::cancelled);
  CHECK(outcome({"0.0.0.0/0"}) == Errc::cancelled);
  CHECK(outcome({"::/0"}) == Errc::cancelled);
  CHECK(outcome({"203.0.113.0/24"}) == Errc::permission_denied);
  CHECK(outcome({"unix"}) == Errc::permission_denied);
  CHECK(outcome({"2001:db8::/32"}) == Errc::permission_denied);
}

TEST_CASE("proxy protocol: networks are compared bit by bit") {
  Sim sim;
  const auto trusts = [&](const std::string& network, const std::string& client) {
    // Two headers, one inside the other: the second one is heard if the first one's client is trusted.
    ProxyProtocolOptions options;
    options.trusted = {network};
    Result<ProxyProtocol> inner = ProxyProtocol::make(options);
    REQUIRE(inner);
    const bool v6 = client.find(':') != client.npos;
    auto run = [&]() -> Task<> {
      PipeEnds ends = pipe();
      const std::string first =
          v6 ? "PROXY TCP6 " + client + " ::1 1 2\r\n" : "PROXY TCP4 " + client + " 127.0.0.1 1 2\r\n";
      co_await ends.first->write(as_bytes(first + line));
      std::unique_ptr<ProxiedStream> outer = co_await make_proxy().accept(std::move(ends.second));
      std::unique_ptr<ProxiedStream> stream = co_await inner->accept(std::move(outer));
      CHECK(stream->peer() == "203.0.113.7:4711");
    };
    return static_cast<bool>(sim.run(run()));
  };
  CHECK(trusts("10.0.0.0/9", "10.127.255.255"));
  CHECK(!trusts("10.0.0.0/9", "10.128.0.0"));
  CHECK(trusts("10.1.2.3/32", "10.1.2.3"));
  CHECK(!trusts("10.1.2.3/32", "10.1.2.2"));
  CHECK(trusts("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK(!trusts("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(trusts("2001:db8::1", "2001:db8::1"));
  CHECK(!trusts("0.0.0.0/0", "2001:db8::1"));
  CHECK(!trusts("10.0.0.0/8", "a00::1"));
}

TEST_CASE("proxy protocol: options that would trust nobody, or are malformed, are refused") {
  for (const char* text : {"", "host", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "10.0.0.0/8/8",
                           "fe80::1%eth0", "10.0.0/8", "unix:"}) {
    CAPTURE(text);
    ProxyProtocolOptions options;
    options.trusted = {"127.0.0.1", text};
    CHECK(ProxyProtocol::make(options).error() == Errc::invalid_argument);
  }
  CHECK(ProxyProtocol::make(ProxyProtocolOptions()).error() == Errc::invalid_argument);
  ProxyProtocolOptions none;
  none.trusted = {"::1"};
  none.pending_max = 0;
  CHECK(ProxyProtocol::make(none).error() == Errc::invalid_argument);
}

TEST_CASE("proxy protocol: what comes instead of a header, or not at all, is an error and resets") {
  Sim sim;
  const auto outcome = [&](std::string sent, bool ends) {
    Error failure(Errc::internal);
    auto run = [&]() -> Task<> {
      PipeEnds pipes = pipe();
      co_await pipes.first->write(as_bytes(sent));
      if (ends) co_await pipes.first->shutdown_write();
      ProxyProtocolOptions options;
      options.bytes_max = 200;
      const Instant began = sim.reactor().now();
      Result<std::unique_ptr<ProxiedStream>> stream =
          co_await make_proxy(options).accept(std::move(pipes.second)).result();
      REQUIRE(!stream);
      failure = stream.error();
      if (failure == Errc::timed_out) CHECK(sim.reactor().now() - began == 5s);
      Result<std::string> reset = co_await test::read_all(*pipes.first).result();
      CHECK(reset.error() == Errc::reset);
    };
    CHECK(sim.run(run()));
    return failure;
  };
  CHECK(outcome("GET / HTTP/1.1\r\n", false) == Errc::bad_message);
  CHECK(outcome("PROXY TCP4 1.2.3.4\r\n", false) == Errc::bad_message);
  CHECK(outcome("PROXY TCP4 1.2.3.4", false) == Errc::timed_out);
  CHECK(outcome("", false) == Errc::timed_out);
  CHECK(outcome("", false).limit() == TimeLimit::handshake);
  CHECK(outcome("", true) == Errc::reset);
  CHECK(outcome("PROXY", true) == Errc::reset);
  CHECK(outcome(std::string("PROXY UNKNOWN ") + std::string(200, 'x'), false) == Errc::limit_exceeded);
  const std::string large = std::string("\r\n\r\n\0\r\nQUIT\n\x21\0\x10\0", 16);
  CHECK(outcome(large, false) == Errc::limit_exceeded);
  CHECK(outcome("x", false).message().starts_with("a connection from pipe: "));
}

TEST_CASE("proxy protocol: a client that is slow with its header delays no other; silent ones are reset") {
  Sim sim;
  auto run = [&]() -> Task<> {
    Failures failures;
    ProxyProtocolOptions options;
    options.on_failure = failures.observer();
    std::unique_ptr<Listener> inner = co_await sim.network().listen("127.0.0.1:80");
    std::unique_ptr<Listener> listener = make_proxy(options).wrap(std::move(inner));
    CHECK(listener->port() == 80);
    std::unique_ptr<Stream> silent = co_await sim.network().connect("127.0.0.1", 80);
    std::unique_ptr<Stream> wrong = co_await sim.network().connect("127.0.0.1", 80);
    co_await wrong->write(as_bytes("GET / HTTP/1.1\r\n"));
    std::unique_ptr<Stream> slow = co_await sim.network().connect("127.0.0.1", 80);
    co_await slow->write(as_bytes(line.substr(0, 20)));
    std::unique_ptr<Stream> quick = co_await sim.network().connect("127.0.0.1", 80);
    co_await quick->write(as_bytes("PROXY TCP4 203.0.113.8 198.51.100.1 1 2\r\n"));
    std::unique_ptr<Stream> first = co_await listener->accept();
    CHECK(first->peer() == "203.0.113.8:1");
    co_await sleep(4s);
    co_await slow->write(as_bytes(line.substr(20)));
    std::unique_ptr<Stream> second = co_await listener->accept();
    CHECK(second->peer() == "203.0.113.7:4711");
    Result<std::unique_ptr<Stream>> none = co_await with_timeout(10s, listener->accept()).result();
    CHECK(none.error() == Errc::timed_out);
    CHECK((failures.kinds == std::vector<Errc>{Errc::bad_message, Errc::timed_out}));
    Result<std::string> reset = co_await test::read_all(*silent).result();
    CHECK(reset.error() == Errc::reset);
  };
  CHECK(sim.run(run()));
}

TEST_CASE("proxy protocol: no more connections than the limit wait for their headers") {
  Sim sim;
  auto run = [&]() -> Task<> {
    ProxyProtocolOptions options;
    options.pending_max = 2;
    std::unique_ptr<Listener> inner = co_await sim.network().listen("127.0.0.1:80");
    std::unique_ptr<Listener> listener = make_proxy(options).wrap(std::move(inner));
    std::vector<std::unique_ptr<Stream>> silent;
    for (int i = 0; i < 4; ++i) {
      std::unique_ptr<Stream> one = co_await sim.network().connect("127.0.0.1", 80);
      silent.push_back(std::move(one));
    }
    std::unique_ptr<Stream> good = co_await sim.network().connect("127.0.0.1", 80);
    co_await good->write(as_bytes(line));
    const Instant began = sim.reactor().now();
    std::unique_ptr<Stream> accepted = co_await listener->accept();
    CHECK(accepted->peer() == "203.0.113.7:4711");
    CHECK(sim.reactor().now() - began == 10s);  // two after two
  };
  CHECK(sim.run(run()));
}

TEST_CASE("proxy protocol: failures of the listener below are those of accept, one each") {
  class Broken final : public Listener {
   public:
    Task<std::unique_ptr<Stream>> accept() override {
      ++calls;
      co_await yield();
      co_return Error(Errc::overloaded, "no descriptors");
    }
    std::uint16_t port() const override { return 1; }
    std::string address() const override { return "broken"; }
    int calls = 0;
  };
  Sim sim;
  auto run = [&]() -> Task<> {
    auto broken = std::make_unique<Broken>();
    const Broken& seen = *broken;
    std::unique_ptr<Listener> listener = make_proxy().wrap(std::move(broken));
    for (int i = 1; i <= 3; ++i) {
      Result<std::unique_ptr<Stream>> failed = co_await listener->accept().result();
      CHECK(failed.error() == Errc::overloaded);
      CHECK(seen.calls == i);
    }
  };
  CHECK(sim.run(run()));
}

TEST_CASE("proxy protocol: clients that are served directly keep their own address") {
  Sim sim;
  auto run = [&]() -> Task<> {
    ProxyProtocolOptions options;
    options.trusted = {"203.0.113.0/24"};
    options.untrusted = UntrustedPeers::direct;
    PipeEnds ends = pipe();
    co_await ends.first->write(as_bytes("hello"));
    std::unique_ptr<ProxiedStream> stream = co_await make_proxy(options).accept(std::move(ends.second));
    CHECK(stream->header() == nullptr);
    CHECK(stream->peer() == "pipe");
    std::string got = co_await test::read_exactly(*stream, 5);
    CHECK(got == "hello");
  };
  CHECK(sim.run(run()));
}

TEST_CASE("proxy protocol: an HTTP server sees the client, and limits by it") {
  Sim sim;
  http::ServerOptions limits;
  limits.connections_per_peer_max = 1;
  http::Server server(
      [](http::Request request) -> Task<http::Response> {
        co_return http::Response(200, std::string(request.peer()));
      },
      limits);
  auto ask = [](Sim& sim, std::string header) -> Task<std::string> {
    std::unique_ptr<Stream> stream = co_await sim.network().connect("127.0.0.1", 80);
    const std::string sent = header + "GET / HTTP/1.0\r\n\r\n";
    co_await stream->write(as_bytes(sent));
    std::string answer = co_await test::read_all(*stream);
    co_return answer.substr(answer.rfind('\n') + 1);
  };
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> inner = co_await sim.network().listen("127.0.0.1:80");
    Scope scope(co_await this_reactor);
    JoinHandle<void> serving = scope.spawn_joinable(server.serve(make_proxy().wrap(std::move(inner))));
    std::string seen = co_await ask(sim, line);
    CHECK(seen == "203.0.113.7:4711");
    // One connection of each client, though all come from one proxy.
    std::unique_ptr<Stream> held = co_await sim.network().connect("127.0.0.1", 80);
    co_await held->write(as_bytes(line));
    co_await sleep(1s);
    Result<std::string> turned_away = co_await ask(sim, line).result();
    CHECK(turned_away.error() == Errc::reset);
    seen = co_await ask(sim, "PROXY TCP4 203.0.113.9 198.51.100.1 1 2\r\n");
    CHECK(seen == "203.0.113.9:1");
    held.reset();
    server.shutdown(1s);
    co_await std::move(serving).join();
  };
  CHECK(sim.run(run()));
}
