// The reactor: one thread's run queue, and the two interfaces it drives.
//
// One turn of it is
//
//     backend.wait(until)          events from outside only mark things ready
//     now = backend.now()          time then stands still for the rest of the turn
//     posted functions             what other threads sent
//     timers.advance(now, due)     due entries only mark things ready
//     run what is ready, what is due, what yielded     the only place where coroutines are resumed
//
// Collect first, act second: nothing runs in the middle of somebody else's loop, and whatever runs may
// cancel whatever else is waiting. Natively `run()` repeats turns that may sleep in `wait`; a host that
// owns the loop (a JS engine, a GUI, another event library) calls `step()`, which never sleeps, and calls
// again at the instant it returned or when something happened.
//
// Order. What a finished task continues (`resume_next`) runs first, so an operation that completes beats
// the timeout that is due in the same turn. Then what events made ready, then due timers, then what has
// yielded, each in the order they came.
//
// Bounds. A turn runs what was queued when it began, and its continuations. What becomes ready meanwhile, and
// what yields, runs in the next turn, after the backend was asked and the timers were advanced. Of posted
// functions and of each of the three queues it runs one at least, and then `budget` at most and as long as
// `share`; the rest stays first in line. Time is looked at after every fourth thing that yielded and every
// 32nd of the others, and after every single one once they turn out to be long. So beside tasks that compute
// and yield, however many there are, an event waits and a timer is late by no more than `share` and what one
// of them computes (at first four of them) in one go. A thing that runs is never interrupted.
//
// A reactor belongs to the thread that calls it. `post` and `wake` are the only members that other threads
// may call, and while it lives; a Remote (remote.h) may be used after its end. It makes no thread, has no
// global, and is cheap enough to live for one Worker request.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <escapement/core/detail/frame_pool.h>
#include <escapement/core/error.h>
#include <escapement/core/list.h>
#include <escapement/core/random.h>
#include <escapement/core/system_time.h>
#include <escapement/core/time.h>

namespace escapement {

class Reactor;
class Remote;
class Scope;
template <class T>
class Task;

namespace detail {

class Notice;
struct RemoteEnd;

// How often to look at the clock: after every `most` things, and more often where that was too late.
class Looks {
 public:
  explicit Looks(int most) : most_(most), every_(most), left_(most) {}
  // Whether this is the time to look.
  bool due() { return --left_ <= 0; }
  void looked(bool late) {
    every_ = late ? 1 : every_ * 2 < most_ ? every_ * 2 : most_;
    left_ = every_;
  }

 private:
  int most_;
  int every_;
  int left_;
};

// A failure that somebody may still take, and what to do if nobody does.
class HeldFailure : public ListNode {
 public:
  explicit HeldFailure(Reactor& reactor);
  // Nobody will take it. Printed where the reactor is gone.
  void lose(const Error& error) noexcept;

 private:
  Reactor& reactor_;  // gone when the reactor has unlinked this
};

}  // namespace detail

// Something the run queue can run once. Destroying it while it waits there takes it out.
class Runnable : public ListNode {
 public:
  virtual void run() = 0;
  // The address of the code that `run` enters, to name it by; null where that says nothing.
  virtual const void* code() const { return nullptr; }

 protected:
  ~Runnable() = default;
};

class TimerEntry;

// Which deadlines fall due when. Implemented by the timer wheel (timers/wheel.h), and by the plain list that
// tests compare it with. Entries are armed by themselves (timers/entry.h).
class TimerQueue {
 public:
  virtual ~TimerQueue() = default;

  // Takes in an entry that has just been armed and has no cell. A deadline that has passed is due at the next
  // `advance`.
  virtual void insert(TimerEntry& entry) = 0;
  // The earliest deadline; `never()` when empty or when nothing is due before the end of time. May be
  // earlier than that, which costs a turn, never later.
  virtual Instant next() = 0;
  // Takes out entries whose deadline is at or before `now`, in deadline order and, where equal, in the order
  // in which they were armed, and calls `expire(due)` on each. It may leave some, or work that has to be done
  // first, for the next call: then `next()` is not after `now`. `now` never goes back.
  virtual void advance(Instant now, List<Runnable>& due) = 0;

 protected:
  friend class TimerEntry;
  Instant earliest_ = Instant::never();  // no armed entry is due before
  std::uint32_t armed_ = 0;              // entries armed so far, modulo 2^32
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

// What one turn was like.
struct Turn {
  Instant began;                       // when it had waited
  Duration length;                     // of running what was ready
  int resumed = 0;                     // things that ran
  int timers = 0;                      // of those: made ready by a timer
  Duration lateness;                   // of the timer that was due first; zero when none was due
  Duration longest;                    // of the thing that ran longest
  const void* longest_code = nullptr;  // of that: Runnable::code(), or the part that took most of it
};

// Is told of every turn in which something ran. In the reactor's thread; must not destroy the reactor, nor
// throw.
class TurnWatcher {
 public:
  virtual ~TurnWatcher() = default;
  virtual void turn_ended(const Turn& turn) = 0;
};

class Reactor {
 public:
  // How many things a turn resumes from each queue before the backend is asked again, and for how long.
  static constexpr int budget = 128;
  static constexpr Duration share = 500us;

  // Both must outlive the reactor.
  Reactor(Backend& backend, TimerQueue& timers);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  // Every task that was given to it must be gone (checked for those of scopes), and none may be running
  // (checked). What was posted and has not run is dropped.
  ~Reactor();

  // The time of this turn: constant while things run, so that what happens in one turn agrees about it.
  Instant now() const { return now_; }
  // The time this very moment. What a deadline is counted from, so that a long computation before
  // `sleep(10ms)` does not shorten the sleep.
  Instant precise_now();

  // Runs `task` to its end, sleeping in between; the thread is the reactor's for as long. The task's
  // failure is the result. Errc::internal when a simulation stalls: every task waits and nothing can come.
  // Errc::overloaded when there is no memory to move timers on; they are not lost, and it may be run again.
  // Not for hosts that own the loop: those use step(). Not inside a task of this reactor (checked): await
  // there.
  template <class T>
  Result<T> run(Task<T> task);
  // The same for an Operation, and for a function that returns a task, which is kept as long (task.h).
  template <class O>
  auto run(O operation);

  // One turn that does not sleep. Returns when to call again if nothing happens before: `now()` when there
  // is more to do at once, `never()` when only an event can bring work. Not inside a task (checked).
  Instant step();

  // Puts `runnable` at the end of the queue. Nothing happens if it is already queued.
  void ready(Runnable& runnable) {
    if (!runnable.linked()) ready_.push_back(runnable);
  }
  // Puts it at the front: for what continues the task that runs now.
  void resume_next(Runnable& runnable) {
    if (!runnable.linked()) next_.push_front(runnable);
  }
  // Puts it behind everything else: it runs in the next turn, after what is ready and due then.
  void ready_later(Runnable& runnable);

  // Runs `function()` on the reactor's thread, in one of its next turns. Any thread; wakes a sleeping
  // reactor. Not run, but destroyed, if the reactor is destroyed first. What it throws is an unhandled
  // failure.
  template <class F>
  void post(F function) {
    push_posted(new PostedFunction<F>(std::move(function)));
  }
  // Makes a sleeping reactor take another turn. Any thread.
  void wake() noexcept { backend_.wake(); }
  // A handle for other threads, which may keep it longer than the reactor lives (remote.h).
  Remote remote();
  // Checks that no other thread is running this reactor: whoever wakes its tasks has to be on its thread.
  void check_thread() const {
    const void* thread = running_on_.load(std::memory_order_relaxed);
    ESC_CHECK(thread == nullptr || thread == detail::FramePool::this_thread(),
              "another thread touched what tasks of this reactor wait for; Reactor::post or a Remote gets it "
              "there");
  }

  // From the next turn on. It must outlive the reactor or be replaced; null: nobody watches, which costs
  // nothing but one branch a turn. A watched turn reads the clock once more for everything that it resumes.
  void watch_turns(TurnWatcher* watcher);
  bool turns_watched() const { return watcher_ != nullptr; }
  // For what runs now, in a watched turn: that it called `code` itself, by which `Runnable::code` cannot know
  // it, and how long that took. Where it was most of the time, the turn names that instead.
  void note_part(const void* code, Duration took);

  // `handler` is called with each failure that nobody took: of a task whose Scope is not joined or has an
  // empty on_failure, of a JoinHandle that is not joined, of a posted function that throws. Errc::cancelled
  // is no failure. Without a handler, or with an empty one, they are printed to standard error (on wasm there
  // is none: the glue sets a handler). It runs on the reactor's thread where the failure is lost, often in a
  // destructor; it must not destroy the reactor. What it throws is printed to standard error.
  void on_unhandled_failure(std::function<void(const Error&)> handler);
  // Passes a failure that nobody will take to that handler.
  void report_unhandled(const Error& error) noexcept;

  Backend& backend() { return backend_; }
  TimerQueue& timers() { return timers_; }
  // A generator seeded by the backend at first use: what jitter is drawn from.
  Random& random();

 private:
  friend class Remote;
  friend class Scope;
  class Running;
  class RunLoop;
  friend class detail::Notice;
  struct Posted {
    virtual ~Posted() = default;
    virtual void call() = 0;
    virtual void release() noexcept { delete this; }
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
  void collect_due();
  Instant next_deadline();
  // False when there is nothing to run.
  bool run_queues();
  bool run_queues_watched();
  // What both do (turn.h): calls `run(runnable)` for what this turn is to run. Returns how many were due
  // timers.
  template <class Run>
  int run_batches(Run run);
  template <class Run>
  int run_batch(List<Runnable>& batch, Instant end, detail::Looks& looks, Run& run);
  // Whether the part of the turn that may last until `end` is over, as far as anybody has looked.
  bool looks_over(detail::Looks& looks, Instant end) { return looks.due() && look(looks, end); }
  bool look(detail::Looks& looks, Instant end);
  void push_posted(Posted* posted);
  void run_posted();
  // Also what came while earlier ones still ran: the wake-up for it has been used up by then.
  bool posted_waits() const {
    return taken_ != nullptr || posted_.load(std::memory_order_relaxed) != nullptr;
  }
  void drop_posted();
  bool anything_queued() {
    return !next_.empty() || !ready_.empty() || !batch_.empty() || !due_.empty() || !yielded_.empty() ||
           !yielded_batch_.empty() || posted_waits();
  }

  Backend& backend_;
  TimerQueue& timers_;
  Instant now_;
  List<Runnable> next_;           // continuations of what has just finished: first
  List<Runnable> ready_;          // what events and spawns made ready
  List<Runnable> batch_;          // of those, what this turn runs, or left
  List<Runnable> due_;            // what timers made ready
  List<Runnable> yielded_;        // what gave way to all of these
  List<Runnable> yielded_batch_;  // of those, what this turn runs, or left
  detail::Looks looks_{32};
  detail::Looks yielded_looks_{4};
  int starved_ = 0;                               // failed tries to move timers on, one after the other
  std::size_t spawned_ = 0;                       // tasks in scopes
  std::atomic<const void*> running_on_{nullptr};  // which thread takes turns now
  std::atomic<Posted*> posted_{nullptr};
  Posted* taken_ = nullptr;  // of those, what waits for the next turn, in order
  detail::FramePool blocks_;
  std::shared_ptr<const std::function<void(const Error&)>> on_unhandled_;
  friend class detail::HeldFailure;
  List<ListNode> held_failures_;  // of those whose loss is to be reported here
  TurnWatcher* watcher_ = nullptr;
  const void* part_code_ = nullptr;  // the longest part of what runs
  Duration part_length_;
  bool (Reactor::*run_queues_watched_)() = nullptr;  // through watch_turns, or nothing links it
  std::shared_ptr<detail::RemoteEnd> remote_;
  void (*close_remote_)(detail::RemoteEnd&) = nullptr;  // through remote, likewise
  Random random_{0};
  bool random_seeded_ = false;
};

namespace detail {

// A function that other threads ask for again and again, without memory. It runs once for all that asked
// before.
class Notice final : public Reactor::Posted {
 public:
  // Must outlive the reactor.
  Notice(Reactor& reactor, std::function<void()> function)
      : reactor_(reactor), function_(std::move(function)) {}
  void send() noexcept {
    if (!sent_.exchange(true)) reactor_.push_posted(this);
  }

 private:
  void call() override {
    sent_ = false;
    function_();
  }
  void release() noexcept override {}

  Reactor& reactor_;
  std::function<void()> function_;
  std::atomic<bool> sent_{false};
};

}  // namespace detail

// The thread that takes turns of `reactor`, as long as it lives.
class Reactor::Running {
 public:
  explicit Running(Reactor& reactor);
  Running(const Running&) = delete;
  ~Running() { reactor_.running_on_.store(nullptr, std::memory_order_relaxed); }

 private:
  Reactor& reactor_;
  detail::FramePool::Use blocks_;
};

// What `run` does but for the task, whose end makes it ready.
class Reactor::RunLoop final : public Runnable {
 public:
  explicit RunLoop(Reactor& reactor);
  void run() override {}
  // Takes a turn. An error: it is of no use to take another.
  std::optional<Error> turn();

 private:
  Reactor& reactor_;
  Running running_;
};

}  // namespace escapement
