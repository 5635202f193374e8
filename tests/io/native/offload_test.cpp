// Work on other threads, and back. No sleeps: latches hold the work. Also run under ThreadSanitizer.

#include <atomic>
#include <cstdlib>
#include <latch>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/loops.h"

using namespace escapement;

namespace {

ThreadPoolOptions options(std::size_t threads, std::size_t waiting_max = 1024) {
  ThreadPoolOptions options;
  options.threads = threads;
  options.waiting_max = waiting_max;
  return options;
}

using Witness = std::shared_ptr<int>;

// Work that must never begin. (A CHECK belongs to the test's thread.)
void abort_the_test(const Witness&) { std::abort(); }

// A task that was started without a turn of the loop. Destroying this cancels it.
template <class T>
class Started {
 public:
  explicit Started(Task<T> task) : child_(std::move(task)) {}
  Task<> start() {
    detail::PromiseBase& self = co_await detail::this_task;
    child_.start(self.reactor(), nobody_);
  }
  bool finished() const { return child_.finished(); }

 private:
  class Nobody final : public Runnable {
   public:
    void run() override {}
  };
  Nobody nobody_;
  detail::ChildTask<T> child_;
};

// Occupies the only thread of a pool until `free`.
class Plug {
 public:
  Task<> begin(ThreadPool& pool) {
    return [](Plug& plug, ThreadPool& pool) -> Task<> {
      co_await offload(pool, [&plug] {
        plug.begun_.count_down();
        plug.free_.wait();
      });
    }(*this, pool);
  }
  void wait_until_begun() { begun_.wait(); }
  void free() { free_.count_down(); }

 private:
  std::latch begun_{1};
  std::latch free_{1};
};

}  // namespace

TEST_CASE("offload: runs on another thread; the value comes back on the loop") {
  std::unique_ptr<Loop> loop = test::make_loop(ESC_EACH_BACKEND());
  ThreadPool pool;
  Result<std::string> text = loop->run([&pool]() -> Task<std::string> {
    const std::thread::id here = std::this_thread::get_id();
    std::thread::id there = co_await offload(pool, [] { return std::this_thread::get_id(); });
    CHECK(there != here);
    CHECK(std::this_thread::get_id() == here);
    std::unique_ptr<int> owned = co_await offload(pool, [] { return std::make_unique<int>(7); });
    CHECK(*owned == 7);
    bool called = false;
    co_await offload(pool, [&called] { called = true; });
    CHECK(called);
    std::string text = co_await offload(pool, []() -> Result<std::string> { return std::string("text"); });
    co_return text;
  });
  REQUIRE(text);
  CHECK(*text == "text");
}

TEST_CASE("offload: failures and exceptions fail the awaiting task, or are inspected") {
  Loop loop;
  ThreadPool pool;
  auto fails = []() -> Result<int> { return Error(Errc::not_found, "nothing there"); };
  auto fails_without_value = []() -> Result<> { return Error(Errc::reset, "broke"); };
  auto throws = []() -> int { throw std::runtime_error("thrown"); };
  auto throws_a_number = [] { throw 7; };
  auto out_of_memory = []() -> int { throw std::bad_alloc(); };
  Result<> ended = loop.run([&]() -> Task<> {
    Result<int> failed = co_await offload(pool, fails).result();
    CHECK((!failed && failed.error() == Errc::not_found));
    Result<> broken = co_await offload(pool, fails_without_value).result();
    CHECK((!broken && broken.error() == Errc::reset));
    Result<int> thrown = co_await offload(pool, throws).result();
    CHECK((!thrown && thrown.error() == Errc::exception && thrown.error().message() == "thrown"));
    Result<> number = co_await offload(pool, throws_a_number).result();
    CHECK((!number && number.error() == Errc::exception));
    Result<int> memory = co_await offload(pool, out_of_memory).result();
    CHECK((!memory && memory.error() == Errc::overloaded));
    co_await offload(pool, fails);
    FAIL("the task has failed");
  });
  REQUIRE_FALSE(ended);
  CHECK(ended.error() == Errc::not_found);
  CHECK(ended.error().message() == "nothing there");
}

TEST_CASE("offload: an operation; combinators take it") {
  Loop loop;
  ThreadPool pool;
  static_assert(Operation<decltype(offload(pool, [] { return 1; }))>);
  Result<int> one = loop.run(offload(pool, [] { return 1; }));
  CHECK((one && *one == 1));
  Result<> ended = loop.run([&pool]() -> Task<> {
    std::tuple<int, std::string> both =
        co_await all(offload(pool, [] { return 1; }), offload(pool, [] { return std::string("two"); }));
    CHECK(both == std::tuple<int, std::string>(1, "two"));
    int timely = co_await with_timeout(1h, offload(pool, [] { return 3; }));
    CHECK(timely == 3);
    Scope scope(co_await this_reactor);
    JoinHandle<int> joined = scope.spawn_joinable(offload(pool, [] { return 4; }));
    int four = co_await std::move(joined).join();
    CHECK(four == 4);
    auto fails = []() -> Result<int> { return Error(Errc::reset, "x"); };
    Result<int> late = co_await with_timeout(1h, offload(pool, fails)).result();
    CHECK((!late && late.error() == Errc::reset));
  });
  CHECK(ended);
}

TEST_CASE("offload: nothing happens before it is awaited") {
  Loop loop;
  ThreadPool pool;
  auto witness = std::make_shared<int>(0);
  {
    auto unused = offload(pool, abort_the_test, witness);
    Task<> unused_task = offload(pool, abort_the_test, witness);
    CHECK(witness.use_count() == 3);
  }
  CHECK(witness.use_count() == 1);
}

TEST_CASE("offload: arguments and captures are copied once, and gone when the result is there") {
  Loop loop;
  ThreadPool pool;
  auto witness = std::make_shared<int>(5);
  auto read = [](const Witness& from) { return *from; };
  Result<> ended = loop.run([&]() -> Task<> {
    int five = co_await offload(pool, read, witness);
    CHECK(five == 5);
    CHECK(witness.use_count() == 1);
    Witness moved = witness;
    int again = co_await offload(pool, read, std::move(moved));
    CHECK(again == 5);
    CHECK(witness.use_count() == 1);
    int owned =
        co_await offload(pool, [](std::unique_ptr<int> own) { return *own; }, std::make_unique<int>(6));
    CHECK(owned == 6);
    Result<int> result = co_await offload(pool, read, witness).result();
    CHECK((result && *result == 5));
    int timely = co_await with_timeout(1h, offload(pool, read, witness));
    CHECK(timely == 5);
    auto captures = [witness] { return *witness; };
    CHECK(witness.use_count() == 2);
    int captured = co_await offload(pool, std::move(captures));
    CHECK(captured == 5);
    CHECK(witness.use_count() == 1);
    Result<Witness> back = co_await offload(pool, [](Witness in) { return in; }, witness).result();
    CHECK(witness.use_count() == 2);
    std::size_t length = co_await offload(pool, &std::string::size, std::string("four"));
    CHECK(length == 4);
  });
  CHECK(ended);
  CHECK(witness.use_count() == 1);
}

TEST_CASE("offload: a full queue refuses at once; what waits begins in order") {
  Loop loop;
  ThreadPool pool(options(1, 2));
  Plug plug;
  Result<> ended = loop.run([&]() -> Task<> {
    Scope scope(co_await this_reactor);
    JoinHandle<void> plugged = scope.spawn_joinable(plug.begin(pool));
    co_await yield();
    plug.wait_until_begun();
    std::vector<int> order;
    for (int i = 0; i < 2; ++i) {
      scope.spawn([&pool, &order, i]() -> Task<> {
        int number = co_await offload(pool, [i] { return i; });
        order.push_back(number);
      });
    }
    co_await yield();
    CHECK(pool.waiting() == 2);
    auto witness = std::make_shared<int>(0);
    Result<> refused = co_await offload(pool, abort_the_test, witness).result();
    CHECK((!refused && refused.error() == Errc::overloaded));
    CHECK(witness.use_count() == 1);
    auto propagates = [&pool, &witness]() -> Task<> {
      co_await offload(pool, abort_the_test, witness);
      FAIL("the task has failed");
    };
    Result<> failed = co_await propagates().result();
    CHECK((!failed && failed.error() == Errc::overloaded));
    CHECK(witness.use_count() == 1);
    plug.free();
    co_await scope.join();
    co_await std::move(plugged).join();
    CHECK(order == std::vector<int>{0, 1});
  });
  CHECK(ended);
}

TEST_CASE("offload: cancelled before it began, it is destroyed first") {
  Loop loop;
  ThreadPool pool(options(1));
  Plug plug;
  auto witness = std::make_shared<int>(0);
  Result<> ended = loop.run([&]() -> Task<> {
    Scope scope(co_await this_reactor);
    JoinHandle<void> plugged = scope.spawn_joinable(plug.begin(pool));
    co_await yield();
    plug.wait_until_begun();
    Result<> late = co_await with_timeout(0s, offload(pool, abort_the_test, witness)).result();
    CHECK((!late && late.error() == Errc::timed_out));
    CHECK(witness.use_count() == 1);
    CHECK(pool.waiting() == 0);
    plug.free();
    co_await std::move(plugged).join();
  });
  CHECK(ended);
}

TEST_CASE("offload: cancelled while it runs, the task goes on; the function is kept until it ends") {
  Loop loop;
  auto witness = std::make_shared<int>(0);
  auto result = std::make_shared<int>(0);
  std::latch begun(1);
  std::latch go_on(1);
  {
    ThreadPool pool(options(1));
    Result<> ended = loop.run([&]() -> Task<> {
      Scope scope(co_await this_reactor);
      JoinHandle<std::shared_ptr<int>> running =
          scope.spawn_joinable(offload(pool, [&begun, &go_on, witness, result] {
            begun.count_down();
            go_on.wait();
            return std::shared_ptr<int>(result);
          }));
      co_await yield();
      begun.wait();
      running.cancel();
      CHECK(witness.use_count() == 2);  // it runs
      CHECK(pool.running() == 1);
      co_return;
    });
    CHECK(ended);
    go_on.count_down();
  }
  CHECK(witness.use_count() == 1);
  CHECK(result.use_count() == 1);
}

TEST_CASE("offload: a function that takes a stop token is asked to stop when nobody waits any more") {
  std::latch begun(1);
  std::latch stopped(1);
  Loop loop;
  ThreadPool pool(options(1));
  Result<> ended = loop.run([&]() -> Task<> {
    bool possible = co_await offload(pool, [](std::stop_token stop) { return stop.stop_possible(); });
    CHECK(possible);
    Scope scope(co_await this_reactor);
    JoinHandle<void> running = scope.spawn_joinable(offload(pool, [&](const std::stop_token& stop) {
      std::latch asked(1);
      const std::stop_callback on_stop(stop, [&asked] { asked.count_down(); });
      begun.count_down();
      asked.wait();
      stopped.count_down();
    }));
    co_await yield();
    begun.wait();
    running.cancel();
  });
  CHECK(ended);
  stopped.wait();
}

TEST_CASE("offload: the loop may end before the work") {
  ThreadPool pool(options(2));
  auto witness = std::make_shared<int>(0);
  std::latch begun(1);
  std::latch go_on(1);
  std::latch ended(1);
  {
    Loop loop;
    Result<> late = loop.run([&]() -> Task<> {
      Scope scope(co_await this_reactor);
      scope.spawn([&]() -> Task<> {
        auto work = [&begun, &go_on, &ended, witness] {
          begun.count_down();
          go_on.wait();
          ended.count_down();
          return witness;
        };
        std::shared_ptr<int> never = co_await offload(pool, std::move(work));
        FAIL("the loop is gone");
      });
      co_await yield();
      begun.wait();
    });
    CHECK(late);
  }
  go_on.count_down();
  ended.wait();
  // Once this has run on both threads, the work before it is gone.
  Loop loop;
  std::latch both(2);
  auto meet = [&both] { both.arrive_and_wait(); };
  CHECK(loop.run([&]() -> Task<> { co_await all(offload(pool, meet), offload(pool, meet)); }));
  CHECK(witness.use_count() == 1);
}

TEST_CASE("offload: the loop ends between the end of the work and its arrival") {
  ThreadPool pool(options(1));
  auto witness = std::make_shared<int>(0);
  {
    Loop loop;
    CHECK(loop.run([&]() -> Task<> {
      std::latch begun(1);
      Started<Witness> first(offload(pool, [](Witness in) { return in; }, witness));
      Started<void> second(offload(pool, [&begun] { begun.count_down(); }));
      co_await first.start();
      co_await second.start();
      begun.wait();  // the first has ended by now, and the loop has not turned
    }));
  }
  Loop loop;
  CHECK(loop.run(offload(pool, [] {})));
  CHECK(witness.use_count() == 1);
}

TEST_CASE("offload: a pool that ends before the work begins fails it as cancelled") {
  Loop loop;
  auto pool = std::make_unique<ThreadPool>(options(1));
  std::latch begun(1);
  Result<> ended = loop.run([&]() -> Task<> {
    Scope scope(co_await this_reactor);
    JoinHandle<int> stopped = scope.spawn_joinable(offload(*pool, [&begun](const std::stop_token& stop) {
      std::latch asked(1);
      const std::stop_callback on_stop(stop, [&asked] { asked.count_down(); });
      begun.count_down();
      asked.wait();
      return 1;
    }));
    co_await yield();
    begun.wait();
    auto witness = std::make_shared<int>(0);
    JoinHandle<void> refused = scope.spawn_joinable(offload(*pool, abort_the_test, witness));
    JoinHandle<void> dropped = scope.spawn_joinable(offload(*pool, abort_the_test, witness));
    co_await yield();
    CHECK(pool->waiting() == 2);
    pool.reset();
    CHECK(witness.use_count() == 1);
    dropped.cancel();  // an operation may outlive its pool
    Result<int> one = co_await std::move(stopped).join().result();
    CHECK((one && *one == 1));
    Result<> two = co_await std::move(refused).join().result();
    CHECK((!two && two.error() == Errc::cancelled));
    CHECK(two.error().message() == "the thread pool ended before the work began");
  });
  CHECK(ended);
}

TEST_CASE("offload: one pool, several loops, much work; some of it is cancelled at any moment") {
  std::atomic<int> alive{0};
  struct Counted {
    explicit Counted(std::atomic<int>& c) : count(&c) { ++*count; }
    Counted(const Counted& other) : count(other.count) { ++*count; }
    ~Counted() { --*count; }
    std::atomic<int>* count;
  };
  {
    ThreadPool pool(options(3, 10'000));
    std::atomic<int> right{0}, loops{0};  // Catch2's assertions are for one thread
    auto work = [&](std::uint64_t seed) {
      Loop loop;
      Random random(seed);
      Result<> ended = loop.run([&]() -> Task<> {
        Scope scope(co_await this_reactor);
        for (int i = 0; i < 300; ++i) {
          const Counted counted(alive);
          JoinHandle<int> a = scope.spawn_joinable(offload(pool, [counted, i] { return i; }));
          JoinHandle<int> b = scope.spawn_joinable(offload(pool, [counted, i] { return i; }));
          if (random.one_in(3)) b.cancel();
          if (random.one_in(3)) co_await yield();
          if (random.one_in(3)) b.cancel();
          int got = co_await std::move(a).join();
          right += got == i;
          b.cancel();
        }
      });
      loops += ended ? 1 : 0;
    };
    std::thread other(work, 1);
    work(2);
    other.join();
    CHECK(right == 600);
    CHECK(loops == 2);
  }
  CHECK(alive == 0);
}

TEST_CASE("offload: a pool without threads works on the loop, in simulated time too") {
  ThreadPool pool(options(0, 2));
  Sim sim;
  auto witness = std::make_shared<int>(0);
  const std::thread::id here = std::this_thread::get_id();
  Result<> ended = sim.reactor().run([&]() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    const Instant began = reactor.now();
    std::thread::id there = co_await offload(pool, [] { return std::this_thread::get_id(); });
    CHECK(there == here);
    CHECK(reactor.now() == began);
    bool called = false;
    Started<void> first(offload(pool, [&called] { called = true; }));
    co_await first.start();
    {
      Started<void> second(offload(pool, abort_the_test, witness));
      co_await second.start();
      CHECK(pool.waiting() == 2);
      Result<> refused = co_await offload(pool, abort_the_test, witness).result();
      CHECK((!refused && refused.error() == Errc::overloaded));
      CHECK(witness.use_count() == 2);
    }
    CHECK(witness.use_count() == 1);
    CHECK_FALSE(called);
    co_await sleep(1h);
    CHECK(called);
    CHECK(first.finished());
  });
  CHECK(ended);
}
