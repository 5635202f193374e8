// Options of TCP sockets, as the kernel reports them back.

#include <escapement/io/native/tcp_options.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/combine.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/tcp_linux.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/loops.h"
#include "support/read_and_write.h"

using namespace escapement;

namespace {

std::unique_ptr<Loop> make_loop(const std::string& backend, const TcpSocketOptions& socket) {
  LoopOptions options;
  options.tcp.socket = socket;
  return test::make_loop(backend, std::move(options));
}

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

// Finds the descriptor of the socket that has this local address and, unless it listens, this peer.
int find_socket(std::uint16_t local_port, bool listening) {
  for (int fd = 0; fd < 1'000; ++fd) {
    sockaddr_in name{};
    socklen_t size = sizeof name;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) continue;
    if (ntohs(name.sin_port) != local_port) continue;
    if ((option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1) == listening) return fd;
  }
  return -1;
}

std::uint16_t port_of(const Stream& stream) {
  const std::string peer = stream.peer();
  return static_cast<std::uint16_t>(std::stoi(peer.substr(peer.rfind(':') + 1)));
}

// A connection whose two sockets, and listener, can be looked at.
struct Sockets {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
  std::vector<int> all() const {
    return {find_socket(listener->port(), true), find_socket(listener->port(), false),
            find_socket(port_of(*server), false)};
  }
};

Task<Sockets> connected(Loop& loop) {
  Sockets sockets;
  sockets.listener = co_await loop.network().listen("127.0.0.1:0");
  sockets.client = co_await loop.network().connect("127.0.0.1", sockets.listener->port());
  sockets.server = co_await sockets.listener->accept();
  co_return std::move(sockets);
}

}  // namespace

TEST_CASE("tcp options: by default small writes are not delayed and nothing else is set") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND(), TcpSocketOptions());
  auto run = [&]() -> Task<> {
    Sockets sockets = co_await connected(*loop);
    for (const int fd : sockets.all()) {
      REQUIRE(fd >= 0);
      CHECK(option_of(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
      CHECK(option_of(fd, SOL_SOCKET, SO_KEEPALIVE) == 0);
      CHECK(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
    }
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("tcp options: they are set on connections, on listeners, and on what these accept") {
  TcpSocketOptions options;
  options.no_delay = false;
  options.keep_alive.emplace();
  options.keep_alive->idle = 1500ms;  // rounded up
  options.keep_alive->interval = 3s;
  options.keep_alive->probes = 4;
  options.receive_buffer = 20'000;
  options.send_buffer = 30'000;
  options.system.push_back(tcp_user_timeout(12'345'001us));
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND(), options);
  auto run = [&]() -> Task<> {
    Sockets sockets = co_await connected(*loop);
    for (const int fd : sockets.all()) {
      REQUIRE(fd >= 0);
      CHECK(option_of(fd, IPPROTO_TCP, TCP_NODELAY) == 0);
      CHECK(option_of(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
      CHECK(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 2);
      CHECK(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 3);
      CHECK(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT) == 4);
      CHECK(option_of(fd, SOL_SOCKET, SO_RCVBUF) == 40'000);  // the kernel doubles: socket(7)
      CHECK(option_of(fd, SOL_SOCKET, SO_SNDBUF) == 60'000);
      CHECK(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 12'346);
    }
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("tcp options: a listener that defers accepts only clients that speak") {
  TcpSocketOptions options;
  options.system.push_back(tcp_defer_accept(5s));
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND(), options);
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", listener->port());
    Result<std::unique_ptr<Stream>> silent = co_await with_timeout(30ms, listener->accept()).result();
    CHECK(silent.error() == Errc::timed_out);
    co_await client->write(as_bytes("x"));
    std::unique_ptr<Stream> server = co_await listener->accept();
    std::string got = co_await test::read_exactly(*server, 1);
    CHECK(got == "x");
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("tcp options: connections come from the local address; other families cannot be reached from it") {
  TcpSocketOptions options;
  options.local_address = "127.0.0.9";
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND(), options);
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", listener->port());
    std::unique_ptr<Stream> server = co_await listener->accept();
    CHECK(server->peer().starts_with("127.0.0.9:"));
    Result<std::unique_ptr<Stream>> v6 = co_await loop->network().connect("::1", 9).result();
    CHECK(v6.error() == Errc::unavailable);
    CHECK(v6.error().message() ==
          "connect to [::1]:9 from 127.0.0.9: the addresses are of different families");
    CHECK(!v6.error().maybe_sent());
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("tcp options: a listener of IPv6 alone leaves the IPv4 port free") {
  TcpSocketOptions options;
  options.only_v6 = true;
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND(), options);
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> v6 = co_await loop->network().listen(":0");
    CHECK(v6->address().starts_with("[::]:"));
    Result<std::unique_ptr<Stream>> v4 = co_await loop->network().connect("127.0.0.1", v6->port()).result();
    CHECK(v4.error() == Errc::unavailable);
    std::unique_ptr<Stream> client = co_await loop->network().connect("::1", v6->port());
    Result<std::unique_ptr<Listener>> other = loop->network().listen("0.0.0.0:" + std::to_string(v6->port()));
    CHECK(other);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("tcp options: what the system refuses fails connecting and listening, by name") {
  const auto [which, text, kind, listens] =
      GENERATE(table<int, const char*, Errc, bool>({{0, "keep-alive", Errc::invalid_argument, true},
                                                    {1, "keep-alive", Errc::invalid_argument, true},
                                                    {2, "keep-alive", Errc::invalid_argument, true},
                                                    {3, "the receive buffer", Errc::invalid_argument, true},
                                                    {4, "the send buffer", Errc::invalid_argument, true},
                                                    {5, "a user timeout", Errc::invalid_argument, true},
                                                    {6, "an address", Errc::invalid_argument, false},
                                                    {7, "192.0.2.1", Errc::unavailable, false},
                                                    {8, "made up", Errc::internal, true}}));
  CAPTURE(which);
  TcpSocketOptions options;
  if (which < 3) options.keep_alive.emplace();
  if (which == 0) options.keep_alive->idle = Duration();
  if (which == 1) options.keep_alive->interval = 100'000s;
  if (which == 2) options.keep_alive->probes = 128;
  if (which == 3) options.receive_buffer = -1;
  if (which == 4) options.send_buffer = -1;
  if (which == 5) options.system.push_back(tcp_user_timeout(-1s));
  if (which == 6) options.local_address = "localhost";
  if (which == 7) options.local_address = "192.0.2.1";
  if (which == 8) options.system.emplace_back("made up", IPPROTO_TCP, 99'999, 1, false);
  std::unique_ptr<Loop> plain = test::make_loop("epoll");
  Result<std::unique_ptr<Listener>> there = plain->network().listen("127.0.0.1:0");
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND(), options);
  const int next = ::dup(0);
  ::close(next);
  Result<std::unique_ptr<Stream>> stream = loop->run(loop->network().connect("127.0.0.1", (*there)->port()));
  REQUIRE(!stream);
  CHECK(stream.error() == kind);
  CHECK(!stream.error().maybe_sent());
  CAPTURE(stream.error().message());
  CHECK(stream.error().message().starts_with("connect to 127.0.0.1:"));
  CHECK(stream.error().message().find(text) != std::string::npos);
  Result<std::unique_ptr<Listener>> listener = loop->network().listen("127.0.0.1:0");
  CHECK(static_cast<bool>(listener) != listens);
  listener = Error::cancelled();
  const int next_afterwards = ::dup(0);
  ::close(next_afterwards);
  CHECK(next_afterwards == next);
}
