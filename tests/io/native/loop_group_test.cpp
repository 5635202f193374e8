// Several reactors, each on its thread. Also run under ThreadSanitizer. Catch2's assertions are not for
// several threads at once: bodies that run beside each other keep their findings, and one thread checks them
// at the end.

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop_group.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

std::unique_ptr<LoopGroup> make(std::size_t count, bool reuse_port = false) {
  LoopOptions options;
  options.tcp.reuse_port = reuse_port;
  return *LoopGroup::make(count, options);
}

// Says when it is destroyed, and on which thread.
class Witness {
 public:
  Witness(std::atomic<int>& count, bool& same_thread)
      : count_(count), same_thread_(same_thread), thread_(std::this_thread::get_id()) {}
  Witness(const Witness&) = delete;
  ~Witness() {
    same_thread_ = thread_ == std::this_thread::get_id();
    ++count_;
  }

 private:
  std::atomic<int>& count_;
  bool& same_thread_;
  std::thread::id thread_;
};

}  // namespace

TEST_CASE(
    "threads: every body runs on a thread of its own, the first on the calling one, and may run again") {
  std::unique_ptr<LoopGroup> threads = make(4);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread::id> ids(4);
    std::vector<const Reactor*> reactors(4);
    Result<> ended = threads->run([&](Loop& loop, std::size_t index) -> Task<> {
      Reactor& reactor = co_await this_reactor;
      if (&reactor == &loop.reactor()) reactors[index] = &reactor;
      co_await sleep(std::chrono::milliseconds(index));
      ids[index] = std::this_thread::get_id();
    });
    CHECK(ended);
    CHECK(std::ranges::count(reactors, nullptr) == 0);
    CHECK(std::set<const Reactor*>(reactors.begin(), reactors.end()).size() == 4);
    CHECK(std::set<std::thread::id>(ids.begin(), ids.end()).size() == 4);
    CHECK(ids[0] == std::this_thread::get_id());
  }
  CHECK((*LoopGroup::make(0, {}))->size() == 1);
  LoopOptions wrong;
  wrong.backend = "none";
  CHECK(LoopGroup::make(2, wrong).error() == Errc::invalid_argument);
}

TEST_CASE("threads: the first failure stops the others, each on its own thread") {
  std::unique_ptr<LoopGroup> threads = make(3);
  std::atomic<int> destroyed{0};
  std::array<bool, 3> same_thread{};
  Result<> ended = threads->run([&](Loop&, std::size_t index) -> Task<> {
    Witness witness(destroyed, same_thread[index]);
    if (index == 1) {
      co_await sleep(5ms);
      co_await Error(Errc::unavailable, "on purpose");
    }
    co_await sleep(1h);
  });
  CHECK(ended.error().message() == "on purpose");
  CHECK(destroyed == 3);
  CHECK(same_thread == std::array<bool, 3>{true, true, true});
}

TEST_CASE("threads: a body that throws before it is a task has failed like any other") {
  std::unique_ptr<LoopGroup> threads = make(3);
  Result<> ended = threads->run([](Loop&, std::size_t index) {
    if (index == 1) throw std::runtime_error("on purpose");
    return []() -> Task<> { co_await sleep(1h); }();
  });
  CHECK(ended.error() == Errc::exception);
  CHECK(ended.error().message() == "on purpose");
}

TEST_CASE("threads: stop, from a thread that is none of them") {
  std::unique_ptr<LoopGroup> threads = make(2);
  std::atomic<int> begun{0};
  std::thread outside([&] {
    while (begun < 2) std::this_thread::yield();
    threads->stop();
  });
  Result<> ended = threads->run([&](Loop&, std::size_t) -> Task<> {
    ++begun;
    co_await sleep(1h);
  });
  outside.join();
  CHECK(ended);
}

TEST_CASE("threads: a hand-off to every thread and back, while all of them do it") {
  std::unique_ptr<LoopGroup> threads = make(3);
  constexpr int rounds = 200;
  std::vector<std::size_t> calls(3);  // each only touched by its own thread
  std::vector<std::size_t> sums(3);
  Result<> ended = threads->run([&](Loop&, std::size_t index) -> Task<> {
    const std::function<std::size_t(std::size_t)> read = [&](std::size_t at) {
      ++calls[at];
      return at + 1;
    };
    for (int round = 0; round < rounds; ++round) {
      std::vector<std::size_t> values = co_await gather<std::size_t>(*threads, read);
      for (const std::size_t value : values) sums[index] += value;
    }
  });
  CHECK(ended);
  CHECK(calls == std::vector<std::size_t>(3, 3 * rounds));
  CHECK(sums == std::vector<std::size_t>(3, 6 * rounds));
}

TEST_CASE("threads: whoever gives up a hand-off leaves nothing behind; one that has ended still answers") {
  std::unique_ptr<LoopGroup> threads = make(2);
  Result<> ended = threads->run([&](Loop&, std::size_t index) -> Task<> {
    if (index == 1) co_return;
    const std::function<std::string(std::size_t)> read = [](std::size_t at) {
      return std::string(100, 'a' + at);
    };
    Result<std::vector<std::string>> none =
        co_await with_timeout(0ms, gather<std::string>(*threads, read)).result();
    CHECK(none.error() == Errc::timed_out);
    co_await sleep(5ms);
    std::vector<std::string> both = co_await gather<std::string>(*threads, read);
    CHECK(both[1] == std::string(100, 'b'));
  });
  CHECK(ended);
}

TEST_CASE("threads: servers at one address share the connections, and shut down together") {
  std::unique_ptr<LoopGroup> threads = make(2, true);
  std::vector<std::unique_ptr<Listener>> listeners;
  listeners.push_back(*threads->loop(0).network().listen("127.0.0.1:0"));
  const std::string address = listeners[0]->address();
  CHECK(threads->loop(1).network().check_free(address).error() == Errc::address_in_use);
  listeners.push_back(*threads->loop(1).network().listen(address));
  std::vector<std::unique_ptr<http::Server>> servers;
  for (std::size_t i = 0; i < 2; ++i) {
    servers.push_back(std::make_unique<http::Server>(
        [i](http::Request) -> Task<http::Response> { co_return http::Response(200, std::to_string(i)); }));
  }
  std::set<std::string> answered;
  Result<> ended = threads->run([&](Loop& loop, std::size_t index) -> Task<> {
    if (index != 0) {
      co_await servers[index]->serve(std::move(listeners[index]));
      co_return;
    }
    Scope scope(loop.reactor());
    scope.spawn(servers[0]->serve(std::move(listeners[0])));
    for (int i = 0; i < 200 && answered.size() < 2; ++i) {
      http::Client client(loop.network());
      http::Response response = co_await client(http::get("http://" + address + "/"));
      std::string text = co_await response.body.text(10);
      answered.insert(text);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      threads->loop(i).reactor().post([&server = *servers[i]] { server.shutdown(1s); });
    }
    co_await scope.join();
  });
  CHECK(ended);
  CHECK(answered == std::set<std::string>{"0", "1"});
}

TEST_CASE("threads: one that cannot be started is an error, and stops the others") {
  std::unique_ptr<LoopGroup> threads = make(3);
  pthread_attr_t usual{};
  pthread_attr_t enormous{};
  ::pthread_getattr_default_np(&usual);
  ::pthread_attr_init(&enormous);
  REQUIRE(::pthread_attr_setstacksize(&enormous, std::size_t{1} << 47) ==
          0);  // more than there are addresses
  REQUIRE(::pthread_setattr_default_np(&enormous) == 0);
  Result<> ended = threads->run([](Loop&, std::size_t) -> Task<> { co_await sleep(1h); });
  ::pthread_setattr_default_np(&usual);
  CHECK(ended.error() == Errc::overloaded);
}

TEST_CASE(
    "threads: a run after one that could not start, or that was stopped as it ended, is a run of its own") {
  std::unique_ptr<LoopGroup> threads = make(3);
  pthread_attr_t usual{};
  pthread_attr_t enormous{};
  ::pthread_getattr_default_np(&usual);
  ::pthread_attr_init(&enormous);
  REQUIRE(::pthread_attr_setstacksize(&enormous, std::size_t{1} << 47) == 0);
  REQUIRE(::pthread_setattr_default_np(&enormous) == 0);
  Result<> failed = threads->run([](Loop&, std::size_t) -> Task<> { co_await sleep(1h); });
  ::pthread_setattr_default_np(&usual);
  CHECK(failed.error() == Errc::overloaded);
  for (int round = 0; round < 3; ++round) {
    std::atomic<int> ended{0};
    std::atomic<int> right{0};
    Result<> again = threads->run([&](Loop&, std::size_t index) -> Task<> {
      co_await sleep(2ms);
      std::vector<std::size_t> all = co_await gather<std::size_t>(*threads, [](std::size_t i) { return i; });
      if (all == std::vector<std::size_t>{0, 1, 2}) ++right;
      if (++ended == 3) threads->stop();  // beside the natural end
      (void)index;
    });
    CHECK(again);
    CHECK(ended == 3);
    CHECK(right == 3);
    threads->stop();  // of no run at all
  }
}

TEST_CASE("threads: of several failures the first is the result, the others are reported") {
  std::unique_ptr<LoopGroup> threads = make(2);
  std::atomic<int> lost{0};
  for (std::size_t i = 0; i < 2; ++i) {
    threads->loop(i).reactor().on_unhandled_failure([&](const Error&) { ++lost; });
  }
  std::atomic<int> begun{0};
  Result<> ended = threads->run([&](Loop&, std::size_t) -> Task<> {
    ++begun;
    while (begun < 2) std::this_thread::yield();  // both fail in their first turn
    co_await Error(Errc::reset);
  });
  CHECK(ended.error() == Errc::reset);
  CHECK(lost == 1);
}
