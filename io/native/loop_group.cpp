#include <escapement/io/native/loop_group.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include <escapement/core/combine.h>

namespace escapement {

namespace {

// Calls `body` inside a task, because a body that is not a coroutine may throw before it returns one.
Task<> call(const std::function<Task<>(Loop&, std::size_t)>& body, Loop& loop, std::size_t index) {
  co_await body(loop, index);
}

}  // namespace

// The state of one call of run().
struct LoopGroup::Run {
  Run(LoopGroup& t, const std::function<Task<>(Loop&, std::size_t)>& b)
      : threads(t), body(b), left(t.size()) {}

  // Records the failure if it is the first, and stops the other threads.
  void fail(Error error, Loop& loop) {
    bool first = false;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      first = !failure;
      if (first) failure = std::move(error);
    }
    if (!first) loop.reactor().report_unhandled(error);
    threads.stop();
  }
  void body_ended() noexcept {
    if (--left != 0) return;
    threads.finished_run_ = threads.run_.load();
    for (const std::unique_ptr<Worker>& worker : threads.workers_) worker->finish->send();
  }
  // Runs on each thread.
  void work(std::size_t index) {
    Worker& worker = *threads.workers_[index];
    Result<> ended;
    auto run = [&] { ended = worker.loop->run(threads.work(*this, index)); };
    if (std::optional<Error> thrown = detail::catching(run)) ended = *std::move(thrown);
    if (!ended) fail(std::move(ended).error(), *worker.loop);
    if (!worker.body_ended) body_ended();
  }

  LoopGroup& threads;
  const std::function<Task<>(Loop&, std::size_t)>& body;
  std::atomic<std::size_t> left;  // bodies that have not ended yet
  std::mutex mutex;
  std::optional<Error> failure;
};

Result<std::unique_ptr<LoopGroup>> LoopGroup::make(std::size_t count, const LoopOptions& options) {
  std::unique_ptr<LoopGroup> threads;
  std::optional<Error> failure;
  auto make = [&] {
    threads.reset(new LoopGroup());
    for (std::size_t i = 0; i < std::max<std::size_t>(1, count) && !failure; ++i) {
      Result<std::unique_ptr<Loop>> loop = Loop::make(options);
      if (loop) {
        threads->add_worker(*std::move(loop));
      } else {
        failure = std::move(loop).error();
      }
    }
  };
  if (std::optional<Error> thrown = detail::catching(make)) return *std::move(thrown);
  if (failure) return *std::move(failure);
  return threads;
}

void LoopGroup::add_worker(std::unique_ptr<Loop> loop) {
  auto made = std::make_unique<Worker>();
  Worker& worker = *made;
  worker.loop = std::move(loop);
  worker.stop.emplace(worker.loop->reactor(), [this, &worker] {
    if (stopped_run_ == run_) worker.stopping.set();
  });
  worker.finish.emplace(worker.loop->reactor(), [this, &worker] {
    if (finished_run_ == run_) worker.finished.set();
  });
  workers_.push_back(std::move(made));
}

LoopGroup::~LoopGroup() = default;

void LoopGroup::stop() noexcept {
  stopped_run_ = run_.load();
  for (const std::unique_ptr<Worker>& worker : workers_) worker->stop->send();
}

// Runs the body, then waits until all bodies have ended.
Task<> LoopGroup::work(Run& run, std::size_t index) {
  Worker& worker = *workers_[index];
  Result<> ended = co_await race(call(run.body, *worker.loop, index), worker.stopping.wait()).result();
  if (!ended) run.fail(std::move(ended).error(), *worker.loop);
  worker.body_ended = true;
  run.body_ended();
  co_await worker.finished.wait();
}

Result<> LoopGroup::run(const std::function<Task<>(Loop&, std::size_t)>& body) {
  ++run_;
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->stopping.reset();
    worker->finished.reset();
    worker->body_ended = false;
  }
  Run run(*this, body);
  Result<> ended;
  auto start = [&] { ended = start_and_join(run); };
  if (std::optional<Error> thrown = detail::catching(start)) return *std::move(thrown);
  return ended;
}

Result<> LoopGroup::start_and_join(Run& run) {
  struct Start {
    Run* run;
    std::size_t index;
    pthread_t thread{};
  };
  const auto enter = [](void* argument) -> void* {
    const Start& start = *static_cast<Start*>(argument);
    start.run->work(start.index);
    return nullptr;
  };
  std::vector<Start> starts(size());
  std::size_t started = 1;
  for (std::size_t i = 0; i < size(); ++i) starts[i] = {&run, i};
  for (; started < size(); ++started) {
    const int number = ::pthread_create(&starts[started].thread, nullptr, enter, &starts[started]);
    if (number == 0) continue;
    auto say = [&] { run.fail(Error::from_errno(number, "start a thread", Errc::overloaded), loop(0)); };
    if (detail::catching(say)) run.fail(Error::out_of_memory(), loop(0));
    for (std::size_t i = started; i < size(); ++i) run.body_ended();  // bodies that were never started
    break;
  }
  enter(&starts[0]);
  for (std::size_t i = 1; i < started; ++i) ::pthread_join(starts[i].thread, nullptr);
  if (run.failure) return *std::move(run.failure);
  return {};
}

}  // namespace escapement
