// LoopGroup: one reactor for each of several threads, nothing shared.
//
// Whatever lives on one loop (streams, servers, tasks, services with a state) stays on its thread. What has
// to cross goes by `Reactor::post`, or by `gather` below. Several listeners at one address, one for each
// thread, need TcpOptions::reuse_port: the kernel then spreads new connections over them by a hash of their
// addresses, blindly, so a few connections may meet on one thread while another is idle.

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
  // Makes `count` loops, at least one, and starts no thread yet. Until `run`, all of them belong to the
  // calling thread: make listeners and Signals on them here. Errors: Loop::make.
  static Result<std::unique_ptr<LoopGroup>> make(std::size_t count, const LoopOptions& options);
  LoopGroup(const LoopGroup&) = delete;
  // Nothing that was made on the loops may be left.
  ~LoopGroup();

  std::size_t size() const { return workers_.size(); }
  // Between the begin and the end of `run` only for that thread, except `reactor().post`.
  Loop& loop(std::size_t index) { return *workers_[index]->loop; }

  // Runs `body(loop, index)` on every thread, index 0 on the calling one, and returns when all have ended.
  // The first failure is the result; it stops the others: their bodies are destroyed, each on its own thread.
  // Loops whose body has ended go on until all have, so that whatever is posted to them is still run.
  // What fails after it is reported (Reactor::on_unhandled_failure of that loop). Errc::overloaded when a
  // thread cannot be started, or there is no memory; then too all others are stopped. May be called again
  // afterwards.
  Result<> run(const std::function<Task<>(Loop&, std::size_t)>& body);

  // Stops all: `run` returns when their bodies are destroyed. Any thread, while `run` runs; without effect on
  // a later one. Needs no memory.
  void stop() noexcept;

 private:
  struct Worker {
    std::optional<detail::Notice> stop;    // of its thread, by another one
    std::optional<detail::Notice> finish;  // likewise: all bodies have ended
    std::unique_ptr<Loop> loop;
    Event stopping;  // touched by its own thread only, as are the others
    Event finished;
    bool body_ended = false;
  };
  struct Run;

  LoopGroup() = default;
  void add_worker(std::unique_ptr<Loop> loop);
  Task<> work(Run& run, std::size_t index);
  Result<> start_and_join(Run& run);

  std::vector<std::unique_ptr<Worker>> workers_;
  // A notice may arrive after the run that it was for: what it says is for the run with that number.
  std::atomic<std::uint64_t> run_{0};
  std::atomic<std::uint64_t> stopped_run_{0};
  std::atomic<std::uint64_t> finished_run_{0};
};

namespace detail {

// The values of a gather under way. They are only touched on the thread that asked.
template <class T>
struct Gathering {
  Gathering(Reactor& h, std::size_t count) : home(h), values(count), left(count) {}
  Reactor& home;
  std::vector<std::optional<T>> values;
  std::size_t left;
  Event complete;
};

}  // namespace detail

// Calls `read(index)` on every thread of a running `threads`, in one of its next turns, and yields what they
// said, in order. From a task of any of them. `read` is copied to the threads. Giving up waiting is fine.
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
