// A program whose system calls fail: the operation fails, the loop lives.

#include <unistd.h>

#include <cerrno>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/loop_group.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/failing_calls.h"
#include "support/loops.h"

using namespace escapement;
using test::Call;
using test::FailingCall;
using test::make_loop;

TEST_CASE("system faults: accept that goes on failing is an error, after a bounded number of calls") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const int number =
      GENERATE(ECONNABORTED, EPROTO, EINTR, ENETDOWN, EACCES, EPERM, EINVAL, EMFILE, ENOMEM, EIO);
  CAPTURE(number);
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", listener->port());
    {
      FailingCall fault(Call::accept4, number);
      Result<std::unique_ptr<Stream>> refused = co_await listener->accept().result();
      CHECK(refused.error() == Errc::overloaded);
      CHECK(refused.error().os_number() == number);
      CHECK(fault.count() <= 33);
    }
    std::unique_ptr<Stream> server = co_await listener->accept();
    CHECK(server);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("system faults: one connection that broke is passed over") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", listener->port());
    FailingCall fault(Call::accept4, ECONNABORTED, 1);
    std::unique_ptr<Stream> server = co_await listener->accept();
    CHECK(server);
    CHECK(fault.count() == 1);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("system faults: a server whose accept fails rests, shuts down when asked to, and recovers") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const int number = GENERATE(ECONNABORTED, EACCES, EINVAL);
  CAPTURE(number);
  http::Server server([](http::Request) -> Task<http::Response> { co_return http::Response(204); });
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    const std::uint16_t port = listener->port();
    Scope scope(loop->reactor());
    JoinHandle<void> serving = scope.spawn_joinable(server.serve(std::move(listener)));
    {
      FailingCall fault(Call::accept4, number);
      std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", port);
      const Instant began = loop->reactor().precise_now();
      co_await sleep(120ms);
      CHECK(fault.count() >= 1);
      CHECK(fault.count() <= 33 * (2 + (loop->reactor().now() - began) / Duration(50ms)));
    }
    while (server.statistics().connections == 0) co_await sleep(1ms);
    FailingCall fault(Call::accept4, number);
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", port);
    server.shutdown(0ms);
    co_await std::move(serving).join();
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("system faults: a loop that gets no descriptors is an error that says so, and keeps none") {
  const auto [backend, call, number] =
      GENERATE(table<const char*, Call, int>({{"epoll", Call::epoll_create1, EMFILE},
                                              {"epoll", Call::epoll_ctl_add, ENOMEM},
                                              {"epoll", Call::eventfd, ENFILE},
                                              {"poll", Call::eventfd, EMFILE}}));
  LoopOptions options;
  options.backend = backend;
  const int next = ::dup(0);
  ::close(next);
  {
    FailingCall fault(call, number);
    Result<std::unique_ptr<Loop>> loop = Loop::make(options);
    CHECK(loop.error() == Errc::overloaded);
    CHECK(loop.error().os_number() == number);
    CHECK(loop.error().message().find("loop") != std::string::npos);
    CHECK(LoopGroup::make(3, options).error() == Errc::overloaded);
  }
  const int next_afterwards = ::dup(0);
  ::close(next_afterwards);
  CHECK(next_afterwards == next);
}

TEST_CASE("system faults: a write that cannot wait for room fails; the stream reads on and the loop lives") {
  std::unique_ptr<Loop> loop = make_loop("epoll");
  const std::string big(16 * MiB, 'b');
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", listener->port());
    std::unique_ptr<Stream> server = co_await listener->accept();
    {
      FailingCall fault(Call::epoll_ctl_mod, ENOMEM);
      Result<> written = co_await server->write(as_bytes(big)).result();
      CHECK(written.error() == Errc::overloaded);
      CHECK(fault.count() == 1);
    }
    co_await client->write(as_bytes("x"));
    std::byte byte{};
    const std::size_t count = co_await server->read(MutableBytes(&byte, 1));
    CHECK(count == 1);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("system faults: a connection that cannot be watched fails, with nothing sent") {
  std::unique_ptr<Loop> loop = make_loop("epoll");
  const Call call = GENERATE(Call::epoll_ctl_add, Call::epoll_ctl_mod);
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    FailingCall fault(call, ENOSPC);
    Result<std::unique_ptr<Stream>> stream =
        co_await loop->network().connect("127.0.0.1", listener->port()).result();
    REQUIRE(!stream);
    CHECK(stream.error() == Errc::overloaded);
    CHECK(!stream.error().maybe_sent());
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

namespace {

// A byte there and one back, over a connection that is made for it.
Task<> exchange(Loop& loop) {
  std::unique_ptr<Listener> listener = co_await loop.network().listen("127.0.0.1:0");
  std::unique_ptr<Stream> client = co_await loop.network().connect("127.0.0.1", listener->port());
  std::unique_ptr<Stream> server = co_await listener->accept();
  for (Stream* sender : {client.get(), server.get()}) {
    Stream& receiver = sender == client.get() ? *server : *client;
    co_await sender->write(as_bytes("x"));
    std::byte byte{};
    const std::size_t count = co_await receiver.read(MutableBytes(&byte, 1));
    CHECK(count == 1);
  }
  server->reset_on_close();
}

}  // namespace

TEST_CASE("system faults: an interrupted call is made again, an option that cannot be set is done without") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const auto [call, number] = GENERATE(table<Call, int>({{Call::recv, EINTR},
                                                         {Call::send, EINTR},
                                                         {Call::setsockopt, ENOPROTOOPT},
                                                         {Call::setsockopt, ENOMEM}}));
  FailingCall fault(call, number, 3);
  CHECK(loop->run(with_timeout(10s, exchange(*loop))));
  CHECK(fault.count() == 3);
}

TEST_CASE("system faults: without a socket nothing is listened at or connected to, and nothing was sent") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const int number = GENERATE(EMFILE, ENFILE, ENOBUFS, ENOMEM);
  {
    FailingCall fault(Call::socket, number);
    CHECK(loop->network().listen("127.0.0.1:0").error() == Errc::overloaded);
    CHECK(loop->network().listen(":0").error() == Errc::overloaded);
    Result<std::unique_ptr<Stream>> stream = loop->run(loop->network().connect("127.0.0.1", 9));
    CHECK(stream.error() == Errc::overloaded);
    CHECK(!stream.error().maybe_sent());
  }
  CHECK(loop->run(with_timeout(10s, exchange(*loop))));
}
