// Connecting to a name that has several addresses (RFC 8305), on both pollers: all of them on loopback, as a
// scripted DNS server tells them.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/native/tcp.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/dns_server.h"
#include "support/loops.h"

using namespace escapement;
using namespace escapement::test;

namespace {

// Listens on a loopback address where the kernel drops what asks: its queue is full.
class SilentListener {
 public:
  explicit SilentListener(const char* host) {
    address_.sin_family = AF_INET;
    REQUIRE(::inet_pton(AF_INET, host, &address_.sin_addr) == 1);
    socklen_t length = sizeof address_;
    REQUIRE(::bind(listening_.get(), as_sockaddr(), length) == 0);
    REQUIRE(::listen(listening_.get(), 0) == 0);
    ::getsockname(listening_.get(), as_sockaddr(), &length);
    for (int i = 0; i < 8; ++i) {
      waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(waiting_.back().get(), as_sockaddr(), length);
    }
  }
  std::uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  sockaddr* as_sockaddr() { return reinterpret_cast<sockaddr*>(&address_); }

  posix::Fd listening_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address_{};
  std::vector<posix::Fd> waiting_;
};

struct World {
  World(std::vector<std::string> v6, std::vector<std::string> v4, Duration attempt_delay)
      : loop(make_loop(ESC_EACH_BACKEND())),
        dns(*loop,
            [v6, v4](const DnsQuestion& question) -> std::vector<DnsMessage> {
              return {dns_answer(question, 0, question.type == DnsType::a ? v4 : v6)};
            }),
        network(loop->backend(), loop->reactor(), options(dns.address(), attempt_delay)) {}

  static TcpOptions options(std::string server, Duration attempt_delay) {
    TcpOptions options;
    options.resolver.servers = std::move(server);
    options.happy_eyeballs.attempt_delay = attempt_delay;
    return options;
  }

  // Listens at the address, at the port that the first one got.
  void listen(const std::string& address) {
    listeners.push_back(*loop->network().listen(address + ':' + std::to_string(port)));
    port = listeners.back()->port();
  }
  // To whom it is connected, without the port, or the error.
  std::string connect() {
    Result<std::unique_ptr<Stream>> stream = loop->run(network.connect_within(5s, "several.test", port));
    if (!stream) return to_string(stream.error());
    const std::string peer = (*stream)->peer();
    return peer.substr(0, peer.rfind(':'));
  }

  std::unique_ptr<Loop> loop;
  DnsServer dns;
  TcpNetwork network;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::uint16_t port = 0;
};

}  // namespace

TEST_CASE("tcp: where one address of several refuses, the next is tried at once") {
  World world({}, {"127.0.0.2", "127.0.0.3", "127.0.0.4"}, 1h);
  world.listen("127.0.0.4");
  CHECK(world.connect() == "127.0.0.4");
  world.listen("127.0.0.2");
  CHECK(world.connect() == "127.0.0.2");
}

TEST_CASE("tcp: where every address refuses, the error is that of the first") {
  World world({}, {"127.0.0.2", "127.0.0.3"}, 1h);
  world.listen("127.0.0.1");
  const std::string port = std::to_string(world.port);
  CHECK(world.connect() == "unavailable: connect to 127.0.0.2:" + port + ": Connection refused");
}

TEST_CASE("tcp: where one address of several says nothing, the next is tried after a while, and wins") {
  const SilentListener silent("127.0.0.2");
  World world({}, {"127.0.0.2", "127.0.0.3"}, 20ms);
  world.port = silent.port();
  world.listen("127.0.0.3");
  const Instant began = world.loop->backend().now();
  CHECK(world.connect() == "127.0.0.3");
  CHECK(world.loop->backend().now() - began >= Duration(20ms));
}

TEST_CASE("tcp: the time for a name counts as the connection's") {
  const SilentListener silent("127.0.0.2");
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  DnsServer dns(*loop, [](const DnsQuestion& question) -> std::vector<DnsMessage> {
    const std::string address = question.type == DnsType::a ? "127.0.0.2" : "";
    return {DnsMessage(dns_answer(question, 0, address), 300ms)};
  });
  TcpNetwork network(loop->backend(), loop->reactor(), World::options(dns.address(), 1h));
  const Instant began = loop->backend().now();
  Result<std::unique_ptr<Stream>> stream =
      loop->run(network.connect_within(400ms, "late.test", silent.port()));
  const Duration took = loop->backend().now() - began;
  REQUIRE(!stream);
  CHECK(stream.error().limit() == TimeLimit::connect);
  CHECK(stream.error().elapsed() >= Duration(400ms));
  CHECK(took - stream.error().elapsed() < Duration(250ms));
}

TEST_CASE("tcp: an IPv6 address takes no IPv4, and no address takes both") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  TcpNetwork& network = loop->network();
  std::unique_ptr<Listener> both = *network.listen(":0");
  CHECK(loop->run(network.connect("127.0.0.1", both->port())));
  Result<std::unique_ptr<Listener>> v6 = network.listen("[::]:0");
  if (!v6) return;  // a machine without IPv6
  CHECK(loop->run(network.connect("::1", both->port())));
  CHECK(loop->run(network.connect("::1", (*v6)->port())));
  CHECK(loop->run(network.connect("127.0.0.1", (*v6)->port())).error() == Errc::unavailable);
}

TEST_CASE("tcp: the families of several addresses take turns") {
  World world({"::1", "::ffff:127.0.0.1"}, {"127.0.0.2", "127.0.0.3"}, 1h);
  if (!world.loop->network().listen("[::1]:0")) return;  // a machine without IPv6
  // They are found in this order: [::1], both of IPv4, and the other one of IPv6.
  world.listen("127.0.0.1");
  world.listen("127.0.0.3");
  CHECK(world.connect() == "[::ffff:127.0.0.1]");
}
