#include <escapement/io/native/thread_pool.h>

#include <signal.h>

#include <utility>

#include <escapement/core/task.h>
#include <escapement/io/native/detail/system.h>

namespace escapement {

namespace detail {

Result<> PoolQueue::push(std::shared_ptr<PoolWork> work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) return Error(Errc::cancelled, "the thread pool has ended");
    if (waiting_count_ >= idle_ + waiting_max_) {
      return Error(Errc::overloaded, "the thread pool has too much work: " + std::to_string(waiting_count_) +
                                         " pieces of work wait for a thread");
    }
    waiting_.push_back(*work);
    ++waiting_count_;
    PoolWork& kept = *work;
    kept.waits_ = true;
    kept.self_ = std::move(work);
  }
  arrived_.notify_one();
  return {};
}

bool PoolQueue::remove(PoolWork& work) {
  std::shared_ptr<PoolWork> removed;  // destroyed after the lock is given back
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!std::exchange(work.waits_, false)) return false;
  work.unlink();
  --waiting_count_;
  removed = std::move(work.self_);
  return true;
}

void PoolQueue::run_first(std::unique_lock<std::mutex>& lock) {
  PoolWork& work = *waiting_.pop_front();
  work.waits_ = false;
  running_.push_back(work);
  --waiting_count_;
  ++running_count_;
  lock.unlock();
  work.run();
  lock.lock();
  work.unlink();
  --running_count_;
  std::shared_ptr<PoolWork> ended = std::move(work.self_);
  lock.unlock();
  ended.reset();  // may run destructors of the user's
  lock.lock();
}

void PoolQueue::serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    arrived_.wait(lock, [this] { return ended_ || waiting_count_ > 0; });
    if (ended_) return;
    --idle_;
    run_first(lock);
    ++idle_;
  }
}

void PoolQueue::run_one() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (waiting_count_ > 0) run_first(lock);
}

void PoolQueue::end() {
  std::unique_lock<std::mutex> lock(mutex_);
  ended_ = true;
  arrived_.notify_all();
  while (PoolWork* work = waiting_.pop_front()) {
    --waiting_count_;
    work->waits_ = false;
    std::shared_ptr<PoolWork> refused = std::move(work->self_);
    lock.unlock();
    refused->refuse();
    refused.reset();
    lock.lock();
  }
  while (PoolWork* work = running_.pop_front()) {
    stopping_.push_back(*work);
    std::shared_ptr<PoolWork> asked = work->self_;
    lock.unlock();
    asked->ask_to_stop();
    asked.reset();
    lock.lock();
  }
}

std::size_t PoolQueue::waiting() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return waiting_count_;
}

std::size_t PoolQueue::running() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return running_count_;
}

}  // namespace detail

namespace {

constexpr std::size_t threads_max = 1024;

struct Start {
  Start(std::shared_ptr<detail::PoolQueue> q, std::string n) : queue(std::move(q)), name(std::move(n)) {}
  std::shared_ptr<detail::PoolQueue> queue;
  std::string name;
};

void* enter(void* argument) {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
  posix::name_this_thread(start->name);
  start->queue->serve();
  return nullptr;
}

// Blocks the signals of this thread, and so of the threads that it starts meanwhile, except those that an
// instruction of the thread itself raises.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    for (const int own : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP}) ::sigdelset(&all, own);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// The number stays when the name is too long.
std::string thread_name(std::string name, std::size_t number) {
  const std::string end = '-' + std::to_string(number);
  constexpr std::size_t longest = 15;
  if (name.size() + end.size() > longest) name.resize(longest - end.size());
  return name + end;
}

}  // namespace

Result<std::unique_ptr<ThreadPool>> ThreadPool::make(ThreadPoolOptions options) {
  std::unique_ptr<ThreadPool> pool;
  Result<> started;
  auto make = [&] {
    pool.reset(new ThreadPool(Empty()));
    started = pool->start(std::move(options));
  };
  if (std::optional<Error> thrown = detail::catching(make)) return *std::move(thrown);
  if (!started) return std::move(started).error();
  return pool;
}

ThreadPool::ThreadPool(ThreadPoolOptions options) {
  Result<> started = start(std::move(options));
  *started;
}

ThreadPool::~ThreadPool() {
  if (queue_) queue_->end();
  for (const pthread_t thread : threads_) {
    ESC_CHECK(::pthread_equal(thread, ::pthread_self()) == 0,
              "a ThreadPool was destroyed by work that runs on it");
    ::pthread_join(thread, nullptr);
  }
}

Result<> ThreadPool::start(ThreadPoolOptions options) {
  if (options.threads > threads_max || (options.threads == 0 && options.waiting_max == 0)) {
    return Error(Errc::invalid_argument, "a thread pool has at most 1024 threads, or none and a queue");
  }
  queue_ = std::make_shared<detail::PoolQueue>(options.threads, options.waiting_max);
  threads_.reserve(options.threads);
  const BlockedSignals blocked;
  for (std::size_t number = 0; number < options.threads; ++number) {
    auto start = std::make_unique<Start>(queue_, thread_name(options.name, number));
    pthread_t thread{};
    if (const int failed = ::pthread_create(&thread, nullptr, enter, start.get())) {
      return Error::from_errno(failed, "start a thread of a pool", Errc::overloaded);
    }
    (void)start.release();  // the thread's
    threads_.push_back(thread);
  }
  return {};
}

}  // namespace escapement
