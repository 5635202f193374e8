// What becomes of a program whose system calls fail: the operation fails, the loop lives.

#include <cerrno>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>
#include "support/failing_calls.h"

using namespace escapement;
using test::Call;
using test::FailingCall;

namespace {

std::unique_ptr<Loop> make_loop(const char* backend) {
  LoopOptions options;
  options.backend = backend;
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
  REQUIRE(loop);
  return *std::move(loop);
}

}  // namespace

TEST_CASE("system faults: accept that goes on failing is an error, after a bounded number of calls") {
  std::unique_ptr<Loop> loop = make_loop(GENERATE("epoll", "poll"));
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
  std::unique_ptr<Loop> loop = make_loop(GENERATE("epoll", "poll"));
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
  std::unique_ptr<Loop> loop = make_loop(GENERATE("epoll", "poll"));
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
      co_await sleep(120ms);
      CHECK(fault.count() >= 1);
      CHECK(fault.count() <= 33 * 4);
    }
    while (server.statistics().connections == 0) co_await sleep(1ms);
    FailingCall fault(Call::accept4, number);
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", port);
    server.shutdown(0ms);
    co_await std::move(serving).join();
  };
  CHECK(loop->run(with_timeout(10s, run())));
}
