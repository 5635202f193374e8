// Pools as such: bounds, names, signals, their end. Also run under ThreadSanitizer.

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/native/thread_pool.h>

using namespace escapement;

namespace {

// Work that counts its calls.
class Work final : public detail::PoolWork {
 public:
  explicit Work(std::function<void()> body) : body_(std::move(body)) {}
  void run() noexcept override { body_(); }
  void refuse() noexcept override { ++refused; }
  void ask_to_stop() noexcept override { ++asked; }

  std::atomic<int> refused{0};
  std::atomic<int> asked{0};

 private:
  std::function<void()> body_;
};

std::shared_ptr<Work> work(std::function<void()> body) { return std::make_shared<Work>(std::move(body)); }

ThreadPoolOptions options(std::size_t threads, std::size_t waiting_max = 1024) {
  ThreadPoolOptions options;
  options.threads = threads;
  options.waiting_max = waiting_max;
  return options;
}

std::string name_of_this_thread() {
  char name[32] = {};
  ::pthread_getname_np(::pthread_self(), name, sizeof name);
  return name;
}

}  // namespace

TEST_CASE("thread pool: all its threads work at once, under their names, without signals") {
  ThreadPoolOptions four;
  four.name = "a-very-long-name";
  std::latch all(4);
  std::latch done(4);
  std::atomic<int> named{0};
  std::atomic<int> quiet{0};
  ThreadPool pool(four);
  CHECK(pool.threads() == 4);
  for (int i = 0; i < 4; ++i) {
    Result<> pushed = pool.queue()->push(work([&] {
      all.arrive_and_wait();
      const std::string name = name_of_this_thread();
      if (name.starts_with("a-very-long-n-") && name.size() == 15) ++named;
      sigset_t blocked;
      ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
      if (::sigismember(&blocked, SIGTERM) == 1 && ::sigismember(&blocked, SIGSEGV) == 0) ++quiet;
      done.count_down();
    }));
    CHECK(pushed);
  }
  done.wait();
  CHECK(named == 4);
  CHECK(quiet == 4);
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  CHECK(::sigismember(&blocked, SIGTERM) == 0);
}

TEST_CASE("thread pool: work begins in the order in which it came; more than fits is refused") {
  std::latch begun(1);
  std::latch go_on(1);
  std::latch done(1);
  std::vector<int> order;
  ThreadPool pool(options(1, 3));
  CHECK(pool.queue()->push(work([&] {
    begun.count_down();
    go_on.wait();
  })));
  begun.wait();
  CHECK(pool.running() == 1);
  for (int i = 0; i < 3; ++i) {
    CHECK(pool.queue()->push(work([&order, &done, i] {
      order.push_back(i);
      if (i == 2) done.count_down();
    })));
  }
  CHECK(pool.waiting() == 3);
  Result<> refused = pool.queue()->push(work([] { FAIL("refused"); }));
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == Errc::overloaded);
  CHECK(refused.error().message() == "the thread pool has too much work: 3 pieces of work wait for a thread");
  go_on.count_down();
  done.wait();
  CHECK(order == std::vector<int>{0, 1, 2});
}

TEST_CASE("thread pool: without a queue it takes what its threads can begin at once") {
  std::latch begun(2);
  std::latch go_on(1);
  ThreadPool pool(options(2, 0));
  for (int i = 0; i < 2; ++i) {
    CHECK(pool.queue()->push(work([&] {
      begun.count_down();
      go_on.wait();
    })));
  }
  CHECK_FALSE(pool.queue()->push(work([] {})));
  begun.wait();
  CHECK_FALSE(pool.queue()->push(work([] {})));
  go_on.count_down();
}

TEST_CASE("thread pool: its end refuses what waits, asks what runs to stop, and waits for it") {
  std::latch begun(1);
  std::latch asked(1);
  std::atomic<bool> ended{false};
  class Stops final : public detail::PoolWork {
   public:
    Stops(std::latch& b, std::latch& a, std::atomic<bool>& e) : begun_(b), asked_(a), ended_(e) {}
    void run() noexcept override {
      begun_.count_down();
      asked_.wait();
      ended_ = true;
    }
    void refuse() noexcept override { FAIL("it runs"); }
    void ask_to_stop() noexcept override { asked_.count_down(); }

   private:
    std::latch& begun_;
    std::latch& asked_;
    std::atomic<bool>& ended_;
  };
  auto waits = work([] { FAIL("it never begins"); });
  auto pool = std::make_unique<ThreadPool>(options(1));
  const std::shared_ptr<detail::PoolQueue> queue = pool->queue();
  CHECK(queue->push(std::make_shared<Stops>(begun, asked, ended)));
  begun.wait();
  CHECK(queue->push(waits));
  pool.reset();
  CHECK(ended);
  CHECK(waits->refused == 1);
  CHECK(waits->asked == 0);
  CHECK(waits.use_count() == 1);
  Result<> late = queue->push(waits);
  REQUIRE_FALSE(late);
  CHECK(late.error() == Errc::cancelled);
  CHECK_FALSE(queue->remove(*waits));
}

TEST_CASE("thread pool: work that has not begun can be taken back, once") {
  std::latch begun(1);
  std::latch go_on(1);
  ThreadPool pool(options(1));
  auto runs = work([&] {
    begun.count_down();
    go_on.wait();
  });
  auto waits = work([] { FAIL("it was taken back"); });
  CHECK(pool.queue()->push(runs));
  begun.wait();
  CHECK(pool.queue()->push(waits));
  CHECK_FALSE(pool.queue()->remove(*runs));
  CHECK(pool.queue()->remove(*waits));
  CHECK_FALSE(pool.queue()->remove(*waits));
  CHECK(waits.use_count() == 1);
  CHECK(pool.waiting() == 0);
  go_on.count_down();
}

TEST_CASE("thread pool: bounds") {
  Result<std::unique_ptr<ThreadPool>> too_many = ThreadPool::make(options(1025));
  REQUIRE_FALSE(too_many);
  CHECK(too_many.error() == Errc::invalid_argument);
  CHECK_FALSE(ThreadPool::make(options(0, 0)));
  Result<std::unique_ptr<ThreadPool>> none = ThreadPool::make(options(0));
  REQUIRE(none);
  CHECK((*none)->threads() == 0);
}
