#include <escapement/io/threads.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include <escapement/core/combine.h>

namespace escapement {

namespace {

Task<> wait_for(Event& event) { co_await event.wait(); }

// As a task from the start: a body that is no coroutine may throw before there is one.
Task<> call(const std::function<Task<>(Loop&, std::size_t)>& body, Loop& loop, std::size_t index) {
  co_await body(loop, index);
}

}  // namespace

// One call of run().
struct Threads::Run {
  Run(Threads& t, const std::function<Task<>(Loop&, std::size_t)>& b) : threads(t), body(b), left(t.size()) {}

  void fail(Error error) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!failure) failure = std::move(error);
  }

  Threads& threads;
  const std::function<Task<>(Loop&, std::size_t)>& body;
  std::atomic<std::size_t> left;  // bodies that have not ended
  std::mutex mutex;
  std::optional<Error> failure;
};

Result<std::unique_ptr<Threads>> Threads::make(std::size_t count, const LoopOptions& options) {
  std::unique_ptr<Threads> threads(new Threads());
  for (std::size_t i = 0; i < std::max<std::size_t>(1, count); ++i) {
    Result<std::unique_ptr<Loop>> loop = Loop::make(options);
    if (!loop) return std::move(loop).error();
    auto worker = std::make_unique<Worker>();
    worker->loop = *std::move(loop);
    threads->workers_.push_back(std::move(worker));
  }
  return threads;
}

Threads::~Threads() = default;

void Threads::stop() {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->loop->reactor().post([&stopping = worker->stopping] { stopping.set(); });
  }
}

// What a thread runs: its body, and then nothing until all bodies have ended.
Task<> Threads::work(Run& run, std::size_t index) {
  Worker& worker = *workers_[index];
  Result<> ended = co_await race(call(run.body, *worker.loop, index), wait_for(worker.stopping)).result();
  if (!ended) {
    run.fail(std::move(ended).error());
    stop();
  }
  if (--run.left == 0) {
    for (const std::unique_ptr<Worker>& other : workers_) {
      other->loop->reactor().post([&finished = other->finished] { finished.set(); });
    }
  }
  co_await worker.finished.wait();
}

Result<> Threads::run(const std::function<Task<>(Loop&, std::size_t)>& body) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->stopping.reset();
    worker->finished.reset();
  }
  Run run(*this, body);
  return start_and_join(run);
}

Result<> Threads::start_and_join(Run& run) {
  struct Start {
    Run* run;
    std::size_t index;
    pthread_t thread{};
  };
  const auto enter = [](void* argument) -> void* {
    const Start& start = *static_cast<Start*>(argument);
    Threads& threads = start.run->threads;
    Result<> ended = threads.loop(start.index).run(threads.work(*start.run, start.index));
    if (!ended) start.run->fail(std::move(ended).error());
    return nullptr;
  };
  std::vector<Start> starts(size());
  std::size_t started = 1;
  for (std::size_t i = 0; i < size(); ++i) starts[i] = {&run, i};
  for (; started < size(); ++started) {
    const int number = ::pthread_create(&starts[started].thread, nullptr, enter, &starts[started]);
    if (number == 0) continue;
    run.fail(Error::from_errno(number, "start a thread", Errc::overloaded));
    run.left -= size() - started;  // those that never will be
    stop();
    break;
  }
  enter(&starts[0]);
  for (std::size_t i = 1; i < started; ++i) ::pthread_join(starts[i].thread, nullptr);
  if (run.failure) return *std::move(run.failure);
  return {};
}

}  // namespace escapement
