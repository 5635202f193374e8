// UDP sockets, on both pollers.

#include <escapement/io/native/udp.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/failing_calls.h"
#include "support/loops.h"
#include "support/read_and_write.h"

using namespace escapement;
using test::make_loop;

namespace {

std::unique_ptr<UdpSocket> bind_to(Loop& loop, std::string_view address, UdpOptions options = UdpOptions()) {
  Result<std::unique_ptr<UdpSocket>> made = UdpSocket::bind(loop.backend(), address, options);
  REQUIRE(made);
  return *std::move(made);
}

std::unique_ptr<UdpSocket> connect_to(Loop& loop, const SocketAddress& peer) {
  Result<std::unique_ptr<UdpSocket>> made = UdpSocket::connect(loop.backend(), peer);
  REQUIRE(made);
  return *std::move(made);
}

// An address of this machine where nobody listens.
SocketAddress closed_port(Loop& loop) { return bind_to(loop, "127.0.0.1:0")->address(); }

// A place of a batch with its own room.
struct Slots {
  explicit Slots(std::size_t count, std::size_t room) : bytes(count * room), datagrams(count) {
    for (std::size_t i = 0; i < count; ++i) datagrams[i].room = MutableBytes(bytes).subspan(i * room, room);
  }
  std::vector<std::byte> bytes;
  std::vector<ReceivedDatagram> datagrams;
};

}  // namespace

TEST_CASE("udp: a datagram goes there and back, whole, even an empty or a large one") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const char* address = GENERATE("127.0.0.1:0", "[::1]:0");
  auto run = [&]() -> Task<> {
    std::unique_ptr<UdpSocket> server = bind_to(*loop, address);
    std::unique_ptr<UdpSocket> client = bind_to(*loop, address);
    CHECK(server->address().port() != 0);
    for (const std::size_t size : {0, 1, 1'000, 60'000}) {
      const std::string sent = test::sample(size);
      co_await client->send_to(as_bytes(sent), server->address());
      std::string room(65'536, '\0');
      Datagram got = co_await server->receive(test::as_room(room));
      CHECK((as_text(got.bytes) == sent));
      CHECK(got.size == size);
      CHECK(!got.truncated());
      CHECK(got.peer.text() == client->address().text());
      co_await server->send_to(got.bytes, got.peer);
      std::string back(65'536, '\0');
      Datagram echo = co_await client->receive(test::as_room(back));
      CHECK((as_text(echo.bytes) == sent));
    }
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("udp: a socket of every address hears both families, and names IPv4 peers as such") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<UdpSocket> server = bind_to(*loop, ":0");
    const std::uint16_t port = server->address().port();
    for (const char* host : {"127.0.0.1", "::1"}) {
      std::unique_ptr<UdpSocket> client = connect_to(*loop, *SocketAddress::literal(host, port));
      co_await client->send(as_bytes("x"));
      std::string room(10, '\0');
      Datagram got = co_await server->receive(test::as_room(room));
      CHECK(got.peer.text() == client->address().text());
      co_await server->send_to(as_bytes("yy"), got.peer);
      Datagram back = co_await client->receive(test::as_room(room));
      CHECK(back.size == 2);
    }
    UdpOptions only;
    only.only_v6 = true;
    std::unique_ptr<UdpSocket> v6 = bind_to(*loop, ":0", only);
    std::unique_ptr<UdpSocket> v4 =
        bind_to(*loop, "0.0.0.0:" + std::to_string(v6->address().port()));  // the port is free there
    CHECK(v4);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("udp: what does not fit is truncated, and said to be") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<UdpSocket> server = bind_to(*loop, "127.0.0.1:0");
    std::unique_ptr<UdpSocket> client = connect_to(*loop, server->address());
    co_await client->send(as_bytes("0123456789"));
    co_await client->send(as_bytes("next"));
    std::string room(4, '\0');
    Datagram got = co_await server->receive(test::as_room(room));
    CHECK(got.truncated());
    CHECK(got.size == 10);
    CHECK(as_text(got.bytes) == "0123");
    got = co_await server->receive(MutableBytes());
    CHECK(got.truncated());
    CHECK(got.size == 4);
    CHECK(got.bytes.empty());
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("udp: batches arrive in order, as many as are there, and no more than there is room for") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<UdpSocket> server = bind_to(*loop, "127.0.0.1:0");
    std::unique_ptr<UdpSocket> client = bind_to(*loop, "127.0.0.1:0");
    std::vector<std::string> texts;
    for (int i = 0; i < 150; ++i) texts.push_back("datagram " + std::to_string(i));
    std::vector<OutgoingDatagram> sent;
    for (const std::string& text : texts) sent.emplace_back(as_bytes(text), server->address());
    std::size_t done = 0;
    while (done < sent.size()) {
      std::size_t count = co_await client->send_batch(std::span<const OutgoingDatagram>(sent).subspan(done));
      CHECK(count <= UdpSocket::batch_max);
      done += count;
    }
    std::size_t got = 0;
    for (const std::size_t size : {1, 10, 64, 100}) {
      Slots slots(size, 100);
      std::size_t count = co_await server->receive_batch(slots.datagrams);
      CHECK(count == std::min<std::size_t>({size, UdpSocket::batch_max, texts.size() - got}));
      for (std::size_t i = 0; i < count; ++i) {
        CHECK(as_text(slots.datagrams[i].bytes()) == texts[got++]);
        CHECK(slots.datagrams[i].peer.text() == client->address().text());
      }
    }
    Slots rest(64, 100);
    std::size_t count = co_await server->receive_batch(rest.datagrams);
    CHECK(got + count == texts.size());
    Result<std::size_t> none = co_await with_timeout(2ms, server->receive_batch(rest.datagrams)).result();
    CHECK(none.error() == Errc::timed_out);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("udp: ICMP's reports fail the next operation, and nothing else") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    const SocketAddress nobody = closed_port(*loop);
    std::string room(10, '\0');
    // A connected socket is told anyway.
    std::unique_ptr<UdpSocket> client = connect_to(*loop, nobody);
    co_await client->send(as_bytes("x"));
    Result<Datagram> refused = co_await client->receive(test::as_room(room)).result();
    CHECK(refused.error() == Errc::unavailable);
    CHECK(refused.error().os_number() == ECONNREFUSED);
    co_await client->send(as_bytes("x"));
    Result<> next = co_await client->send(as_bytes("x")).result();
    CHECK(next.error() == Errc::unavailable);
    // Others are not, by default,
    std::unique_ptr<UdpSocket> deaf = bind_to(*loop, "127.0.0.1:0");
    co_await deaf->send_to(as_bytes("x"), nobody);
    co_await deaf->send_to(as_bytes("x"), nobody);
    Result<Datagram> silence = co_await with_timeout(5ms, deaf->receive(test::as_room(room))).result();
    CHECK(silence.error() == Errc::timed_out);
    // but with the option, also while they wait, and with the address.
    UdpOptions options;
    options.report_icmp = true;
    for (const char* own : {"127.0.0.1:0", ":0"}) {
      std::unique_ptr<UdpSocket> told = bind_to(*loop, own, options);
      Scope scope(co_await this_reactor);
      JoinHandle<Datagram> waiting = scope.spawn_joinable(told->receive(test::as_room(room)));
      co_await sleep(1ms);
      co_await told->send_to(as_bytes("x"), nobody);
      Result<Datagram> report = co_await std::move(waiting).join().result();
      REQUIRE(!report);
      CHECK(report.error() == Errc::unavailable);
      CHECK(report.error().peer() == nobody.text());
      CHECK(report.error().message() == "a datagram to " + nobody.text() + ": Connection refused");
      // The socket works on.
      std::unique_ptr<UdpSocket> peer = bind_to(*loop, "127.0.0.1:0");
      co_await told->send_to(as_bytes("still"), peer->address());
      Datagram got = co_await peer->receive(test::as_room(room));
      CHECK(as_text(got.bytes) == "still");
      co_await peer->send_to(as_bytes("here"), got.peer);
      got = co_await told->receive(test::as_room(room));
      CHECK(as_text(got.bytes) == "here");
    }
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("udp: what cannot be sent says why; the rest of its batch can be") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<UdpSocket> server = bind_to(*loop, "127.0.0.1:0");
    std::unique_ptr<UdpSocket> client = bind_to(*loop, "127.0.0.1:0");
    const std::string huge(UdpSocket::datagram_bytes_max + 1, 'h');
    Result<> large = co_await client->send_to(as_bytes(huge), server->address()).result();
    CHECK(large.error() == Errc::limit_exceeded);
    CHECK(large.error().message() ==
          "send 65508 bytes to " + server->address().text() + ": Message too long");
    Result<> nowhere = co_await client->send(as_bytes("x")).result();
    CHECK(nowhere.error() == Errc::invalid_argument);
    Result<> other_family =
        co_await client->send_to(as_bytes("x"), *SocketAddress::literal("::1", 9)).result();
    CHECK(other_family.error() == Errc::invalid_argument);
    Result<> broadcast =
        co_await client->send_to(as_bytes("x"), *SocketAddress::literal("255.255.255.255", 9)).result();
    CHECK(!broadcast);
    std::vector<OutgoingDatagram> batch;
    batch.emplace_back(as_bytes("first"), server->address());
    batch.emplace_back(as_bytes(huge), server->address());
    batch.emplace_back(as_bytes("third"), server->address());
    std::span<const OutgoingDatagram> left(batch);
    std::size_t count = co_await client->send_batch(left);
    CHECK(count == 1);
    Result<std::size_t> second = co_await client->send_batch(left.subspan(1)).result();
    CHECK(second.error() == Errc::limit_exceeded);
    count = co_await client->send_batch(left.subspan(2));
    CHECK(count == 1);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("udp: addresses that cannot be had are errors that say so, and cost no descriptor") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  std::unique_ptr<UdpSocket> taken = bind_to(*loop, "127.0.0.1:0");
  const int next = ::dup(0);
  ::close(next);
  const auto failure = [&](std::string_view address) {
    Result<std::unique_ptr<UdpSocket>> made = UdpSocket::bind(loop->backend(), address);
    REQUIRE(!made);
    return made.error().code();
  };
  CHECK(failure(taken->address().text()) == Errc::address_in_use);
  CHECK(failure("192.0.2.1:0") == Errc::unavailable);
  for (const char* wrong : {"", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", "name:80"}) {
    CHECK(failure(wrong) == Errc::invalid_argument);
  }
  {
    test::FailingCall fault(test::Call::socket, EMFILE);
    CHECK(failure("127.0.0.1:0") == Errc::overloaded);
    CHECK(UdpSocket::connect(loop->backend(), taken->address()).error() == Errc::overloaded);
  }
  const int next_afterwards = ::dup(0);
  ::close(next_afterwards);
  CHECK(next_afterwards == next);
  UdpOptions shared;
  shared.reuse_port = true;
  std::unique_ptr<UdpSocket> one = bind_to(*loop, "127.0.0.1:0", shared);
  std::unique_ptr<UdpSocket> two = bind_to(*loop, one->address().text(), shared);
  CHECK(two->address().text() == one->address().text());
}

TEST_CASE("udp: a bound descriptor is adopted; nothing else is") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    posix::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress any = *SocketAddress::literal("127.0.0.1", 0);
    REQUIRE(::bind(fd.get(), any.data(), any.size()) == 0);
    std::unique_ptr<UdpSocket> adopted = co_await UdpSocket::adopt(loop->backend(), std::move(fd));
    std::unique_ptr<UdpSocket> client = connect_to(*loop, adopted->address());
    co_await client->send(as_bytes("x"));
    std::string room(10, '\0');
    Datagram got = co_await adopted->receive(test::as_room(room));
    CHECK(got.size == 1);
    posix::Fd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(UdpSocket::adopt(loop->backend(), std::move(tcp)).error() == Errc::invalid_argument);
    CHECK(tcp);
    posix::Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(UdpSocket::adopt(loop->backend(), std::move(file)).error() == Errc::invalid_argument);
    CHECK(UdpSocket::adopt(loop->backend(), posix::Fd()).error() == Errc::invalid_argument);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("udp: a socket that always has datagrams lets others run; a receive that is cancelled loses none") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<UdpSocket> server = bind_to(*loop, "127.0.0.1:0");
    std::unique_ptr<UdpSocket> client = connect_to(*loop, server->address());
    std::string room(10, '\0');
    if (loop->pollable_fd() >= 0) {  // epoll
      test::FailingCall fault(test::Call::epoll_ctl_add, ENOSPC);
      Result<Datagram> unwatched = co_await server->receive(test::as_room(room)).result();
      CHECK(unwatched.error() == Errc::overloaded);
    }
    Result<Datagram> none = co_await with_timeout(1ms, server->receive(test::as_room(room))).result();
    CHECK(none.error() == Errc::timed_out);
    int turns = 0;
    Scope scope(co_await this_reactor);
    auto count_turns = [](int& turns) -> Task<> {
      for (; turns < 3; ++turns) co_await yield();
    };
    scope.spawn(count_turns(turns));
    for (int i = 0; i < 100; ++i) {
      Result<> sent = co_await client->send(as_bytes("x")).result();
      REQUIRE(sent);
      Result<Datagram> got = co_await server->receive(test::as_room(room)).result();
      REQUIRE(got);
    }
    CHECK(turns == 3);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("udp: a full send buffer is waited for") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    UdpOptions small;
    small.send_buffer = 4'096;
    std::unique_ptr<UdpSocket> server = bind_to(*loop, "127.0.0.1:0");
    std::unique_ptr<UdpSocket> client = bind_to(*loop, "127.0.0.1:0", small);
    const std::string text(1'000, 't');
    for (int i = 0; i < 200; ++i) co_await client->send_to(as_bytes(text), server->address());
    Slots slots(64, 1'000);
    std::size_t count = co_await server->receive_batch(slots.datagrams);
    CHECK(count > 0);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}
