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
  body_ended(run, worker);
  co_await worker.finished.wait();
}

void Threads::body_ended(Run& run, Worker& worker) {
  worker.body_ended = true;
  if (--run.left == 0) let_go();
}

// All bodies have ended.
void Threads::let_go() {
  for (const std::unique_ptr<Worker>& other : workers_) {
    other->loop->reactor().post([&finished = other->finished] { finished.set(); });
  }
}

// Runs a thread's part. Where there was no memory to begin or end it, the others still end.
void Threads::run_thread(Run& run, std::size_t index) {
  Worker& worker = *workers_[index];
  Result<> ended;
  auto work_here = [&] { ended = worker.loop->run(work(run, index)); };
  if (std::optional<Error> thrown = detail::catching(work_here)) ended = *std::move(thrown);
  if (ended) return;
  run.fail(std::move(ended).error());
  if (worker.body_ended) {
    if (run.left == 0) let_go();  // the others may not have heard of it
    return;
  }
  stop();
  body_ended(run, worker);
}

Result<> Threads::run(const std::function<Task<>(Loop&, std::size_t)>& body) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->stopping.reset();
    worker->finished.reset();
    worker->body_ended = false;
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
    start.run->threads.run_thread(*start.run, start.index);
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
