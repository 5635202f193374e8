// Real sockets, on both pollers.

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/address.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/native/signals.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/loops.h"
#include "support/scratch_folder.h"

using namespace escapement;

namespace {

std::unique_ptr<Loop> make_loop(const std::string& backend) {
  LoopOptions options;
  options.tcp.resolver.overrides.emplace_back("fixed.test", 80, "127.0.0.1");
  return test::make_loop(backend, std::move(options));
}

int open_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  int count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

struct Ends {
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

Task<> connect_both(Loop& loop, Ends& ends) {
  std::unique_ptr<Listener> listener = co_await loop.network().listen("127.0.0.1:0");
  ends.client = co_await loop.network().connect("127.0.0.1", listener->port());
  ends.server = co_await listener->accept();
}

Task<std::string> read_all(Stream& stream) {
  std::string all;
  std::vector<std::byte> room(7'000);
  for (;;) {
    const std::size_t count = co_await stream.read(room);
    if (count == 0) co_return std::move(all);
    all += as_text(Bytes(room).first(count));
  }
}

Task<> write_and_close(Stream& stream, const std::string& text) {
  co_await stream.write(as_bytes(text));
  co_await stream.shutdown_write();
}

}  // namespace

TEST_CASE("tcp: bytes arrive whole, both ways at once, and half-close leaves the other way open") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const std::string big(3'000'000, 'b');
  auto run = [&]() -> Task<> {
    Ends ends;
    co_await connect_both(*loop, ends);
    auto got = co_await all(write_and_close(*ends.client, big), write_and_close(*ends.server, "small"),
                            read_all(*ends.server), read_all(*ends.client));
    CHECK(std::get<2>(got) == big);
    CHECK(std::get<3>(got) == "small");
    CHECK(ends.client->readable_or_closed());
  };
  Result<> result = loop->run(run());
  INFO((result ? "" : to_string(result.error())));
  CHECK(result);
}

TEST_CASE("tcp: errors say what happened, and cost no descriptor") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  REQUIRE(loop->run([](Loop& loop) -> Task<> {
    Ends ends;
    co_await connect_both(loop, ends);
  }(*loop)));
  const int before = open_descriptors();
  auto run = [&]() -> Task<> {
    Result<std::unique_ptr<Stream>> refused = co_await loop->network().connect("127.0.0.1", 1).result();
    CHECK(refused.error() == Errc::unavailable);
    CHECK(refused.error().message() == "connect to 127.0.0.1:1: Connection refused");
    CHECK(!refused.error().maybe_sent());
    Result<std::unique_ptr<Listener>> listener = loop->network().listen("127.0.0.1:0");
    Result<std::unique_ptr<Listener>> taken = loop->network().listen((*listener)->address());
    CHECK(taken.error() == Errc::address_in_use);
    CHECK(loop->network().check_free((*listener)->address()).error() == Errc::address_in_use);
    CHECK(loop->network().check_free("127.0.0.1:0"));
    for (const char* wrong :
         {"", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", "[::1:80", "name:80"}) {
      CAPTURE(wrong);
      CHECK(loop->network().listen(wrong).error() == Errc::invalid_argument);
    }
    // The peer resets: reading fails, writing fails without a signal.
    Ends ends;
    co_await connect_both(*loop, ends);
    ends.server->reset_on_close();
    ends.server.reset();
    Result<std::string> broken = co_await read_all(*ends.client).result();
    CHECK(broken.error() == Errc::reset);
    Result<> unsent = co_await ends.client->write(as_bytes("x")).result();
    CHECK(unsent.error() == Errc::reset);
    // Cancelled while connecting, reading, accepting.
    Result<std::unique_ptr<Stream>> hung = co_await with_timeout(5ms, (*listener)->accept()).result();
    CHECK(hung.error() == Errc::timed_out);
    Ends quiet;
    co_await connect_both(*loop, quiet);
    Result<std::string> nothing = co_await with_timeout(5ms, read_all(*quiet.client)).result();
    CHECK(nothing.error() == Errc::timed_out);
    co_await quiet.server->write(as_bytes("still here"));
    std::vector<std::byte> room(100);
    const std::size_t count = co_await quiet.client->read(room);
    CHECK(count == 10);
  };
  CHECK(loop->run(run()));
  CHECK(open_descriptors() == before);
}

TEST_CASE("tcp: accept under a lack of descriptors fails with overloaded and recovers") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", listener->port());
    rlimit usual{};
    ::getrlimit(RLIMIT_NOFILE, &usual);
    rlimit none = usual;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
    Result<std::unique_ptr<Stream>> lacking = co_await listener->accept().result();
    ::setrlimit(RLIMIT_NOFILE, &usual);
    CHECK(lacking.error() == Errc::overloaded);
    std::unique_ptr<Stream> server = co_await listener->accept();
    CHECK(server);
  };
  CHECK(loop->run(run()));
}

TEST_CASE("tcp: a read that waits without a task fails what awaits it, or says so, when the peer resets") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const bool looks = GENERATE(false, true);
  auto run = [&]() -> Task<> {
    Ends ends;
    co_await connect_both(*loop, ends);
    Scope scope(co_await this_reactor);
    auto waits = [](Stream& stream, bool looks) -> Task<std::string> {
      std::vector<std::byte> room(10);
      if (looks) {
        Result<std::size_t> count = co_await stream.read(room).result();
        co_return count ? "bytes" : to_string(count.error());
      }
      std::size_t count = co_await stream.read(room);
      co_return std::to_string(count);
    };
    JoinHandle<std::string> reading = scope.spawn_joinable(waits(*ends.client, looks));
    co_await sleep(1ms);
    CHECK(!reading.finished());
    ends.server->reset_on_close();
    ends.server.reset();
    Result<std::string> outcome = co_await std::move(reading).join().result();
    CHECK(static_cast<bool>(outcome) == looks);
    const std::string text = outcome ? *outcome : to_string(outcome.error());
    CHECK(text.starts_with("reset: read from 127.0.0.1:"));
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("tcp: a stream that is always ready lets timers run") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    Ends ends;
    co_await connect_both(*loop, ends);
    Scope scope(reactor);
    auto pump = [](Stream& stream) -> Task<> {
      const std::string block(64 * KiB, 'p');
      for (;;) co_await stream.write(as_bytes(block));
    };
    auto drain = [](Stream& stream) -> Task<> {
      std::vector<std::byte> room(64 * KiB);
      for (;;) (void)co_await stream.read(room);
    };
    scope.spawn(pump(*ends.client));
    scope.spawn(drain(*ends.server));
    co_await sleep(30ms);
    scope.cancel();
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("tcp: a stream whose bytes are all there, and a line of connections, let others run") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  // Keeps count of what is done between two of its turns.
  struct Watch {
    static Task<> run(Watch& watch) {
      for (;; watch.last = watch.done) {
        watch.most = std::max(watch.most, watch.done - watch.last);
        co_await yield();
      }
    }
    int done = 0, last = 0, most = 0;
  };
  auto run = [&]() -> Task<> {
    Scope scope(co_await this_reactor);
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    std::vector<std::unique_ptr<Stream>> clients;
    for (int i = 0; i < 100; ++i) {
      std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", listener->port());
      clients.push_back(std::move(client));
    }
    Watch accepts;
    scope.spawn(Watch::run(accepts));
    std::unique_ptr<Stream> first;
    for (; accepts.done < 100; ++accepts.done) {
      std::unique_ptr<Stream> server = co_await listener->accept();
      if (!first) first = std::move(server);
    }
    CHECK(accepts.most <= 33);
    scope.cancel();

    const std::string text(10'000, 't');
    co_await clients[0]->write(as_bytes(text));
    Watch reads;
    scope.spawn(Watch::run(reads));
    std::vector<std::byte> room(1);
    for (; reads.done < 10'000; ++reads.done) {
      const std::size_t count = co_await first->read_task(room);
      CHECK(count == 1);
    }
    CHECK(reads.most <= 33);
    scope.cancel();
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("resolver: literals, overrides, names that do not exist, servers that are silent") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  CHECK(loop->run(loop->network().resolver().resolve("::1", 80))->front().text() == "[::1]:80");
  CHECK(loop->run(loop->network().resolver().resolve("fixed.test", 80))->front().text() == "127.0.0.1:80");
  CHECK(loop->run(loop->network().resolver().resolve("localhost", 7))->size() >= 1);
  ResolverOptions silent;
  silent.servers = "127.0.0.1:9";  // nobody answers there
  silent.timeout = 50ms;
  silent.tries = 1;
  DnsResolver resolver(loop->backend(), loop->reactor(), silent);
  Result<std::vector<SocketAddress>> result = loop->run(resolver.resolve("nobody.test", 80));
  REQUIRE(!result);
  CHECK(result.error() == Errc::unavailable);
  CHECK(result.error().message().starts_with("resolve nobody.test: "));
  // A question given up: its late answer is dropped.
  Result<std::vector<SocketAddress>> given_up =
      loop->run(with_timeout(1ms, resolver.resolve("nobody.test", 80)));
  CHECK(given_up.error() == Errc::timed_out);
  auto wait = []() -> Task<> { co_await sleep(80ms); };
  CHECK(loop->run(wait()));
}

TEST_CASE("tcp: a name that nobody answers for has its own limit, and the error names it") {
  LoopOptions options;
  options.backend = ESC_EACH_BACKEND();
  options.tcp.resolver.servers = "127.0.0.1:9";
  options.tcp.resolver.timeout = 20s;
  options.tcp.happy_eyeballs.resolve_timeout = 60ms;
  // Somebody has to be silent there: nobody at all is refused at once.
  const posix::Fd silent(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  ::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &length);
  options.tcp.resolver.servers = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  std::unique_ptr<Loop> loop = *Loop::make(std::move(options));

  Result<std::unique_ptr<Stream>> outcome = loop->run(loop->network().connect("nobody.test", 80));
  CHECK(to_string(outcome.error()) == "timed_out: resolve nobody.test: no answer within 60ms");
  CHECK(outcome.error().limit() == TimeLimit::resolve);
  CHECK(outcome.error().peer() == "nobody.test");
  CHECK_FALSE(outcome.error().maybe_sent());
  outcome = loop->run(loop->network().connect_within(30ms, "nobody.test", 80));
  CHECK(to_string(outcome.error()) == "timed_out: resolve nobody.test: no answer within 30ms");
}

TEST_CASE("tcp: a connection that does not come has the limit of its caller, and the error the address") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  // A listener whose queue is full takes no more: the kernel drops what asks.
  const posix::Fd full(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(full.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(full.get(), 0) == 0);
  ::getsockname(full.get(), reinterpret_cast<sockaddr*>(&address), &length);
  const std::uint16_t port = ntohs(address.sin_port);
  std::vector<std::unique_ptr<Stream>> taken;
  for (int i = 0; i < 8; ++i) {
    Result<std::unique_ptr<Stream>> one = loop->run(loop->network().connect_within(100ms, "127.0.0.1", port));
    if (one) {
      taken.push_back(*std::move(one));
      continue;
    }
    const std::string peer = "127.0.0.1:" + std::to_string(port);
    CHECK(to_string(one.error()) == "timed_out: connect to " + peer + ": no connection within 100ms");
    CHECK(one.error().limit() == TimeLimit::connect);
    CHECK(one.error().peer() == peer);
    CHECK_FALSE(one.error().maybe_sent());
    return;
  }
  FAIL("every connection was taken");
}

TEST_CASE("tcp: without a descriptor to ask for a name with, that is what the error says") {
  LoopOptions options;
  options.backend = ESC_EACH_BACKEND();
  options.tcp.resolver.servers = "127.0.0.1:9";
  options.tcp.resolver.timeout = 20ms;
  options.tcp.resolver.tries = 1;
  std::unique_ptr<Loop> loop = *Loop::make(std::move(options));
  // Once, so that all that the resolver keeps is there.
  CHECK(loop->run(loop->network().connect("nobody.test", 80)).error() == Errc::unavailable);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(posix::Fd(::dup(0)).get());  // the first that is free
  ::setrlimit(RLIMIT_NOFILE, &none);
  Result<std::unique_ptr<Stream>> outcome = loop->run(loop->network().connect("nobody.test", 80));
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(outcome.error() == Errc::overloaded);
  CHECK_FALSE(outcome.error().maybe_sent());
}

TEST_CASE("signals: arrive as something to await") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  Result<std::unique_ptr<Signals>> signals = Signals::make(loop->backend(), {SIGUSR1});
  REQUIRE(signals);
  ::raise(SIGUSR1);
  CHECK(*loop->run((*signals)->next()) == SIGUSR1);
}

TEST_CASE(
    "tcp: a file goes out whole without being read; one that ends early, or a peer that is gone, is an "
    "error") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  std::string text;
  while (text.size() < 3'000'000) text += std::to_string(text.size()) + ' ';
  folder.write("file", text);
  const posix::Fd file(::open(folder.path("file").c_str(), O_RDONLY | O_CLOEXEC));
  auto sends = [](Stream& stream, FileRange range) -> Task<FileRange> {
    while (range.left > 0) {
      const std::uint64_t before = range.left;
      const bool sent = co_await stream.send_file(range, 1'000'000);
      CHECK(sent);
      CHECK(range.left == before - std::min<std::uint64_t>(before, 1'000'000));
    }
    co_await stream.shutdown_write();
    co_return range;
  };
  auto run = [&]() -> Task<> {
    Ends ends;
    co_await connect_both(*loop, ends);
    const FileRange part{file.get(), 1000, text.size() - 2000};
    auto got = co_await all(sends(*ends.server, part), read_all(*ends.client));
    CHECK((std::get<1>(got) == text.substr(1000, text.size() - 2000)));
    CHECK(std::get<0>(got).offset == text.size() - 1000);

    co_await connect_both(*loop, ends);
    FileRange beyond{file.get(), text.size() - 10, 20};
    Result<bool> ended = co_await ends.server->send_file(beyond, 20).result();
    CHECK(ended.error() == Errc::reset);
    CHECK(beyond.left == 10);

    co_await connect_both(*loop, ends);
    ends.client->reset_on_close();
    ends.client.reset();
    Result<FileRange> gone = co_await sends(*ends.server, part).result();  // and no SIGPIPE
    CHECK(gone.error() == Errc::reset);
    FileRange again = part;
    Result<bool> still = co_await ends.server->send_file(again, 10).result();
    CHECK(still.error() == Errc::reset);
  };
  Result<> result = loop->run(run());
  INFO((result ? "" : to_string(result.error())));
  CHECK(result);
}

TEST_CASE("tcp: addresses are written as they are read") {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "10.200.30.4", "255.255.255.255"}) {
    for (const std::uint16_t port : {0, 80, 65535}) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      REQUIRE(::inet_pton(AF_INET, text, &address.sin_addr) == 1);
      const SocketAddress read(reinterpret_cast<const sockaddr*>(&address), sizeof address);
      CHECK(read.text() == std::string(text) + ':' + std::to_string(port));
    }
  }
}
