// ThreadPool: a few threads for work that blocks. `offload` (offload.h) gives them work from a task.
//
//     ThreadPool pool;  // before the loop's tasks, so that it outlives them
//     Loop loop;
//     loop.run(serve(loop.network(), pool));
//
// A program makes its pools and passes them by reference; there is no default one. One pool may serve several
// loops. Native only: there are no threads in a build for wasm, where this header is not installed and does
// not link.

#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <escapement/core/error.h>
#include <escapement/core/list.h>

namespace escapement {

namespace detail {

// A piece of work for a pool. It keeps itself alive while the pool has it.
class PoolWork : public ListNode {
 public:
  virtual ~PoolWork() = default;
  // Does the work, on a thread of the pool.
  virtual void run() noexcept = 0;
  // Called in place of `run` if the pool ends before the work has begun.
  virtual void refuse() noexcept = 0;
  // Asks work that has begun to end early. Called on any thread, also when the work has just ended.
  virtual void ask_to_stop() noexcept = 0;

 private:
  friend class PoolQueue;
  std::shared_ptr<PoolWork> self_;  // while it waits or runs
  bool waits_ = false;              // it has not begun
};

// The work of a pool, shared by its threads. Thread-safe. Outlives the pool if operations still refer to it.
class PoolQueue {
 public:
  PoolQueue(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max), idle_(threads) {}

  // Fails with overloaded if too much waits already, and with cancelled if the pool has ended.
  Result<> push(std::shared_ptr<PoolWork> work);
  // Takes the work back. Returns false if it has begun, or has ended.
  bool remove(PoolWork& work);
  // Runs work until the pool ends: the life of a thread.
  void serve();
  // Runs the first piece of work, if there is one: for a pool without threads.
  void run_one();
  // Refuses all that waits and asks all that runs to stop.
  void end();

  std::size_t waiting();
  std::size_t running();

 private:
  // Runs the first piece of work, without the lock meanwhile. There must be one.
  void run_first(std::unique_lock<std::mutex>& lock);

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  List<PoolWork> waiting_;
  List<PoolWork> running_;
  List<PoolWork> stopping_;  // runs as well, and was asked to stop
  std::size_t waiting_count_ = 0;
  std::size_t running_count_ = 0;
  std::size_t idle_;  // threads that have no work, or are about to take some
  bool ended_ = false;
};

}  // namespace detail

// The size of a pool.
struct ThreadPoolOptions {
  // At most 1024. With 0 the work runs on the thread of the loop that asked for it, in one of its next turns:
  // for simulations, which must not depend on threads.
  std::size_t threads = 4;
  // Pieces of work that may wait for a thread, first come, first served; more are refused (overloaded). That
  // is the only queue: a piece of work that waited in front of it would need as much memory.
  std::size_t waiting_max = 1024;
  // The threads are named "NAME-0", "NAME-1" and so on; a name has at most 15 bytes, so NAME is cut off.
  std::string name = "esc-pool";
};

class ThreadPool {
 public:
  // Starts the threads, with all signals blocked: signals are for loops (signals.h). Errors: invalid_argument
  // for numbers out of bounds; overloaded if a thread cannot be started.
  static Result<std::unique_ptr<ThreadPool>> make(ThreadPoolOptions options);
  // Aborts the program where `make` would fail.
  explicit ThreadPool(ThreadPoolOptions options = ThreadPoolOptions());
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  // Ends the pool: work that has not begun never does, and its tasks fail with cancelled. Work that runs is
  // asked to stop, if it takes a std::stop_token. Then this waits until all of it has ended, however long
  // that takes. Must not be called by work of this pool (checked).
  ~ThreadPool();

  // Returns ThreadPoolOptions::threads.
  std::size_t threads() const { return threads_.size(); }
  // Return how many pieces of work wait, and how many run. Thread-safe; for metrics.
  std::size_t waiting() const { return queue_->waiting(); }
  std::size_t running() const { return queue_->running(); }

  // For offload.h.
  const std::shared_ptr<detail::PoolQueue>& queue() const { return queue_; }

 private:
  struct Empty {};
  explicit ThreadPool(Empty) {}
  Result<> start(ThreadPoolOptions options);

  std::shared_ptr<detail::PoolQueue> queue_;
  std::vector<pthread_t> threads_;
};

}  // namespace escapement
