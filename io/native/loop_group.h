// LoopGroup: one reactor for each of several threads, nothing shared.
//
// Streams, servers, tasks and services with state stay on the thread of their loop. Use `Reactor::post`, or
// `gather` below, to cross threads. Several listeners at one address, one for each thread, need
// TcpOptions::reuse_port: the kernel then spreads new connections over them by a hash of their addresses,
// regardless of load, so a few connections may meet on one thread while another is idle.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/io/native/loop.h>

namespace escapement {

class LoopGroup {
 public:
  // Makes `count` loops, at least one, without starting a thread. Until `run`, all of them belong to the
  // calling thread: make listeners and Signals on them here. Errors: as Loop::make.
  static Result<std::unique_ptr<LoopGroup>> make(std::size_t count, const LoopOptions& options);
  LoopGroup(const LoopGroup&) = delete;
  // Destroy everything that was made on the loops first.
  ~LoopGroup();

  // Returns the number of loops.
  std::size_t size() const { return workers_.size(); }
  // Returns one of the loops. While `run` is running, only that loop's thread may use it, except for
  // `reactor().post`.
  Loop& loop(std::size_t index) { return *workers_[index]->loop; }

  // Runs `body(loop, index)` on every thread, index 0 on the calling one, and returns when all have ended.
  // May be called again afterwards.
  //
  // The first failure becomes the result and stops the other bodies: each is destroyed on its own thread.
  // Later failures are reported (Reactor::on_unhandled_failure of that loop). A loop whose body has ended
  // keeps running until all bodies have, so functions posted to it still run. Errors: overloaded when a
  // thread cannot be started or memory runs out; that also stops all others.
  Result<> run(const std::function<Task<>(Loop&, std::size_t)>& body);

  // Stops all threads: `run` returns once their bodies are destroyed. May be called from any thread while
  // `run` is running; has no effect on a later run. Needs no memory.
  void stop() noexcept;

 private:
  struct Worker {
    std::optional<detail::Notice> stop;    // posted to this thread by another one
    std::optional<detail::Notice> finish;  // likewise, once all bodies have ended
    std::unique_ptr<Loop> loop;
    Event stopping;  // touched only by its own thread, like the members below
    Event finished;
    bool body_ended = false;
  };
  struct Run;

  LoopGroup() = default;
  void add_worker(std::unique_ptr<Loop> loop);
  Task<> work(Run& run, std::size_t index);
  Result<> start_and_join(Run& run);

  std::vector<std::unique_ptr<Worker>> workers_;
  // The number of the current run. A notice may arrive after the run it was meant for; the number tells them
  // apart.
  std::atomic<std::uint64_t> run_{0};
  std::atomic<std::uint64_t> stopped_run_{0};
  std::atomic<std::uint64_t> finished_run_{0};
};

namespace detail {

// The values that one `gather` collects; touched only on the thread that asked.
template <class T>
struct Gathering {
  Gathering(Reactor& h, std::size_t count) : home(h), values(count), left(count) {}
  Reactor& home;
  std::vector<std::optional<T>> values;
  std::size_t left;
  Event complete;
};

}  // namespace detail

// Calls `read(index)` on every thread of a running `threads`, each in one of its next turns, and returns the
// values in the order of the threads. Call it from a task on any of them. `read` is copied to every thread.
// The returned task may be destroyed at any time.
template <class T>
Task<std::vector<T>> gather(LoopGroup& threads, std::function<T(std::size_t)> read) {
  Reactor& home = co_await this_reactor;
  auto gathering = std::make_shared<detail::Gathering<T>>(home, threads.size());
  for (std::size_t index = 0; index < threads.size(); ++index) {
    threads.loop(index).reactor().post([gathering, read, index] {
      gathering->home.post([gathering, index, value = read(index)]() mutable {
        gathering->values[index].emplace(std::move(value));
        if (--gathering->left == 0) gathering->complete.set();
      });
    });
  }
  co_await gathering->complete.wait();
  std::vector<T> values;
  for (std::optional<T>& value : gathering->values) values.push_back(*std::move(value));
  co_return std::move(values);
}

}  // namespace escapement
