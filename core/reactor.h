// The reactor: one thread's run queue, and the two interfaces it drives.
//
// One turn of it is
//
//     backend.wait(until)          events from outside only mark things ready
//     now = backend.now()          time then stands still for the rest of the turn
//     timers.advance(now, due)     due entries only mark things ready
//     run at most `Budget` of them the only place where coroutines are resumed
//
// Collect first, act second: nothing runs in the middle of somebody else's loop, and whatever runs may
// cancel whatever else is waiting. Natively `run()` repeats turns that may sleep in `wait`; a host that
// owns the loop (a JS engine, a GUI, another event library) calls `step()`, which never sleeps, and calls
// again at the instant it returned or when something happened.
//
// Order. What a finished task continues (`resume_next`) runs first, so an operation that completes beats
// the timeout that is due in the same turn. Then what events made ready, then due timers, each in the
// order they came. A budget per turn for each of the two keeps a socket that is always ready and a burst
// of a million due timers from starving each other, and both from starving the backend.
//
// A reactor belongs to the thread that calls it. `post` and `wake` are the only members that other threads
// may call. It makes no thread, has no global, and is cheap enough to live for one Worker request.

#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include <escapement/core/error.h>
#include <escapement/core/frames.h>
#include <escapement/core/list.h>
#include <escapement/core/random.h>
#include <escapement/core/system_time.h>
#include <escapement/core/time.h>

namespace escapement {

class Reactor;
template <class T>
class Task;

// Something the run queue can run once. Destroying it while it waits there takes it out.
class Runnable : public ListNode {
 public:
  virtual void run() = 0;

 protected:
  ~Runnable() = default;
};

class TimerQueue;

// A place in a timer queue: at or after its deadline a target is made ready, once. Pinned; destroying an
// armed entry takes it out, in constant time, and nothing follows.
class TimerEntry : public ListNode {
 public:
  TimerEntry() = default;
  ~TimerEntry() { disarm(); }

  // Puts it into `queue`: `target` becomes ready at `deadline`. Re-arms when already armed. Queue and
  // target must outlive the armed entry.
  void arm(TimerQueue& queue, Instant deadline, Runnable& target);
  void disarm();

  // False before `arm` and from the moment it is due.
  bool armed() const { return queue_ != nullptr; }
  Instant deadline() const { return deadline_; }

  // For implementations of TimerQueue: the entry is no longer armed, its target is due.
  void expire(List<Runnable>& due) {
    queue_ = nullptr;
    if (!target_->linked()) due.push_back(*target_);
  }
  std::uint32_t position = 0;  // for the queue's own use

 private:
  TimerQueue* queue_ = nullptr;
  Runnable* target_ = nullptr;
  Instant deadline_;
};

// Which deadlines fall due when. Implemented by the timer wheel (timers/wheel.h), and by the sorted list
// that tests and benchmarks compare it with.
class TimerQueue {
 public:
  virtual ~TimerQueue() = default;

  // `entry.deadline()` says when. A deadline that has passed is due at the next `advance`.
  virtual void insert(TimerEntry& entry) = 0;
  // `entry` is in this queue.
  virtual void remove(TimerEntry& entry) = 0;
  // The earliest deadline, exactly; `never()` when empty or when nothing is due before the end of time.
  virtual Instant next() = 0;
  // Takes out every entry whose deadline is at or before `now`, in deadline order and, where equal, in the
  // order of insertion, and calls `expire(due)` on each. `now` never goes back.
  virtual void advance(Instant now, List<Runnable>& due) = 0;
};

// Where events come from: epoll, poll, a simulation, a JS host.
class Backend {
 public:
  virtual ~Backend() = default;

  // The monotonic clock, read now. Never goes back.
  virtual Instant now() = 0;
  // The wall clock, read now. May jump.
  virtual SystemTime system_now() = 0;
  // 64 random bits to seed a generator with. Deterministic in a simulation.
  virtual std::uint64_t entropy() = 0;

  // Collects events and marks what they concern ready (`reactor.ready`). Sleeps no longer than until
  // `until` when it may sleep at all, and returns early when something happened or `wake` was called.
  // Returns false when it knows that nothing can ever happen again, which only a simulation knows.
  virtual bool wait(Reactor& reactor, Instant until) = 0;

  // Makes a current or the next `wait` return at once. Any thread.
  virtual void wake() noexcept = 0;
};

class Reactor {
 public:
  // How many things a turn resumes from each queue before the backend is asked again.
  static constexpr int budget = 128;

  // Both must outlive the reactor.
  Reactor(Backend& backend, TimerQueue& timers);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  // Every task that was given to it must be gone. What was posted and has not run is dropped.
  ~Reactor();

  // The time of this turn: constant while things run, so that what happens in one turn agrees about it.
  Instant now() const { return now_; }
  // The time this very moment. What a deadline is counted from, so that a long computation before
  // `sleep(10ms)` does not shorten the sleep.
  Instant precise_now();

  // Runs `task` to its end, sleeping in between; the thread is the reactor's for as long. The task's
  // failure is the result. Errc::internal when a simulation stalls: every task waits and nothing can come.
  // Not for hosts that own the loop: those use step().
  template <class T>
  Result<T> run(Task<T> task);

  // One turn that does not sleep. Returns when to call again if nothing happens before: `now()` when there
  // is more to do at once, `never()` when only an event can bring work.
  Instant step();

  // Puts `runnable` at the end of the queue. Nothing happens if it is already queued.
  void ready(Runnable& runnable) {
    if (!runnable.linked()) ready_.push_back(runnable);
  }
  // Puts it at the front: for what continues the task that runs now.
  void resume_next(Runnable& runnable) {
    if (!runnable.linked()) next_.push_front(runnable);
  }

  // Runs `function()` on the reactor's thread, in one of its next turns. Any thread; wakes a sleeping
  // reactor. Not run, but destroyed, if the reactor is destroyed first.
  template <class F>
  void post(F function) {
    push_posted(new PostedFunction<F>(std::move(function)));
  }
  // Makes a sleeping reactor take another turn. Any thread.
  void wake() noexcept { backend_.wake(); }

  Backend& backend() { return backend_; }
  TimerQueue& timers() { return timers_; }
  // A generator seeded by the backend at first use: what jitter is drawn from.
  Random& random();

 private:
  struct Posted {
    virtual ~Posted() = default;
    virtual void call() = 0;
    Posted* next = nullptr;
  };
  template <class F>
  struct PostedFunction final : Posted {
    explicit PostedFunction(F f) : function(std::move(f)) {}
    void call() override { function(); }
    F function;
  };

  // One turn that sleeps until `until` at most. False: the backend knows that nothing can come.
  bool turn(Instant until);
  void run_queues();
  void push_posted(Posted* posted);
  void run_posted();
  bool anything_queued() { return !next_.empty() || !ready_.empty() || !due_.empty(); }

  Backend& backend_;
  TimerQueue& timers_;
  Instant now_;
  List<Runnable> next_;   // continuations of what has just finished: first
  List<Runnable> ready_;  // what events, spawns and yields made ready
  List<Runnable> due_;    // what timers made ready
  std::atomic<Posted*> posted_{nullptr};
  detail::FramePool frames_;
  Random random_{0};
  bool random_seeded_ = false;
};

}  // namespace escapement
