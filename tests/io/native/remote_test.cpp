// A loop as other threads see it, also when it is gone. Also run under ThreadSanitizer.

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/event.h>
#include <escapement/core/remote.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

TEST_CASE("remote: wakes a task from another thread; says no when the loop is gone") {
  std::optional<Remote> kept;
  auto witness = std::make_shared<int>(0);
  {
    Loop loop;
    Event done;
    kept = loop.remote();
    const Remote remote = *kept;
    bool reached = false;
    std::thread other([remote, &done, &reached] { reached = remote.post([&done] { done.set(); }); });
    auto wait = [](Event& done) -> Task<> { co_await done.wait(); };
    CHECK(loop.run(wait(done)));
    other.join();
    CHECK(reached);
    CHECK(remote.post([witness] { FAIL("not run"); }));  // dropped with the loop
    CHECK(witness.use_count() == 2);
  }
  CHECK(witness.use_count() == 1);
  CHECK_FALSE(kept->post([witness] { FAIL("gone"); }));
  CHECK(witness.use_count() == 1);
}

TEST_CASE("remote: threads that post while the loop ends; what was taken runs or is dropped, once") {
  for (int round = 0; round < 20; ++round) {
    auto loop = std::make_unique<Loop>();
    const Remote remote = loop->remote();
    std::atomic<int> ended{0};
    std::atomic<int> alive{0};
    struct Counted {
      explicit Counted(std::atomic<int>& c) : count(&c) { ++*count; }
      Counted(const Counted& other) : count(other.count) { ++*count; }
      ~Counted() { --*count; }
      std::atomic<int>* count;
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([remote, &ended, &alive] {
        const Counted counted(alive);
        while (remote.post([counted] { (void)counted; })) {
        }
        ++ended;
      });
    }
    CHECK(loop->run([]() -> Task<> { co_await sleep(1ms); }));
    loop.reset();
    for (std::thread& thread : threads) thread.join();
    CHECK(ended == 2);
    CHECK(alive == 0);
  }
}

TEST_CASE("remote: a function that is dropped with the loop may post again, in vain") {
  struct PostsWhenDestroyed {
    explicit PostsWhenDestroyed(Remote r) : remote(std::move(r)) {}
    PostsWhenDestroyed(const PostsWhenDestroyed&) = delete;
    ~PostsWhenDestroyed() {
      CHECK_FALSE(remote.post([] {}));
    }
    Remote remote;
  };
  Loop loop;
  auto owned = std::make_shared<PostsWhenDestroyed>(loop.remote());
  loop.reactor().post([owned] { FAIL("not run"); });
  owned.reset();
}

TEST_CASE("loop: runs a lambda that is a coroutine, with its captures; so do scopes") {
  Loop loop;
  int sum = 0;
  Result<int> answer = loop.run([&sum, text = std::string(100, 'x')]() -> Task<int> {
    Reactor& reactor = co_await this_reactor;
    Scope scope(reactor);
    for (int i = 1; i <= 3; ++i) {
      scope.spawn([&sum, i, kept = std::make_unique<int>(i)]() -> Task<> {
        co_await sleep(1ms);
        sum += *kept * i;
      });
    }
    JoinHandle<std::size_t> size = scope.spawn_joinable([text]() -> Task<std::size_t> {
      co_await sleep(1ms);
      co_return text.size();
    });
    co_await scope.join();
    std::size_t length = co_await std::move(size).join();
    co_return static_cast<int>(length) + sum;
  });
  REQUIRE(answer);
  CHECK(*answer == 114);
}
