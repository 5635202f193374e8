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
// Collect first, act second: nothing runs in the middle of somebody else's loop, so whatever runs may cancel
// whatever is waiting. Natively `run()` repeats turns that may sleep in `wait`. A host that owns the loop (a
// JS engine, a GUI, another event library) calls `step()`, which never sleeps, and calls it again at the
// instant it returned or when something happened.
//
// Order. The continuation of a finished task (`resume_next`) runs first, so an operation that completes beats
// a timeout that is due in the same turn. Then come the things that events made ready, then due timers, then
// the tasks that have yielded, each in the order of arrival.
//
// Bounds. A turn runs what was queued when it began, and its continuations. Anything that becomes ready
// meanwhile, or yields, runs in the next turn, after the backend was polled and the timers were advanced.
// From the posted functions and from each of the three queues a turn runs at least one entry, then at most
// `budget` of them within the time `share`; the rest stays first in line. The clock is read after every
// fourth entry that yielded and every 32nd of the others, and after every single one once they turn out to be
// long. So beside tasks that compute and yield, however many there are, an event waits and a timer is late by
// no more than `share` plus the time that one of them (at first four of them) computes in one go. A running
// entry is never interrupted.
//
// A reactor belongs to the thread that calls it. `post` and `wake` are the only members that other threads
// may call, and only while it lives; a Remote (remote.h) may be used after its end. A reactor starts no
// thread, has no global state, and is cheap enough to live for one Worker request.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <escapement/core/detail/frame_pool.h>
#include <escapement/core/detail/waiting.h>
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

class LocalValues;
class Notice;
struct RemoteEnd;
class TaskLocals;
class TaskTreeWalk;

// Decides when to read the clock: after every `most` entries, and more often once that proved too late.
class Looks {
 public:
  explicit Looks(int most) : most_(most), every_(most), left_(most) {}
  // Returns whether to read the clock now.
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

// A failure that can still be taken, and that is reported if nobody takes it.
class HeldFailure : public ListNode {
 public:
  explicit HeldFailure(Reactor& reactor);
  // Reports the failure as unhandled; prints it if the reactor is gone.
  void lose(const Error& error) noexcept;

 private:
  Reactor& reactor_;  // dangles once the reactor has unlinked this
};

}  // namespace detail

// An entry of the run queue, run once each time it is queued. Destroying it while it is queued removes it.
class alignas(8) Runnable : public ListNode {
 public:
  // Runs the entry, in the reactor's turn.
  virtual void run() = 0;
  // Returns the address of the code that `run` enters, to name it by; null where that says nothing.
  virtual const void* code() const { return nullptr; }
  // Returns what waits for this, where task-local values are looked for next (task_local.h); null where there
  // is nothing. Sets `found` if this holds values itself.
  virtual const Runnable* awaited_by(std::shared_ptr<const detail::LocalValues>& found) const;

 protected:
  ~Runnable() = default;
};

class TimerEntry;

// A queue of deadlines. Implemented by the timer wheel (timers/wheel.h), and by the plain list that tests
// compare it with. TimerEntry::arm (timers/entry.h) fills it.
class TimerQueue {
 public:
  virtual ~TimerQueue() = default;

  // Adds an entry that has just been armed and has no cell. An entry whose deadline has passed is due at the
  // next `advance`.
  virtual void insert(TimerEntry& entry) = 0;
  // Returns the earliest deadline; `never()` when empty or when nothing is due before the end of time. May
  // return an earlier instant, which costs a turn, but never a later one.
  virtual Instant next() = 0;
  // Removes the entries whose deadline is at or before `now`, in deadline order and, where equal, in the
  // order in which they were armed, and calls `expire(due)` on each. May leave some of them, or work that has
  // to be done first, for the next call; then `next()` is not after `now`. `now` never goes back.
  virtual void advance(Instant now, List<Runnable>& due) = 0;

 protected:
  friend class TimerEntry;
  Instant earliest_ = Instant::never();  // no armed entry is due before this
  std::uint32_t armed_ = 0;              // entries armed so far, modulo 2^32
};

// The source of events: epoll, poll, a simulation, a JS host.
class Backend {
 public:
  virtual ~Backend() = default;

  // Reads the monotonic clock, which never goes back.
  virtual Instant now() = 0;
  // Reads the wall clock, which may jump.
  virtual SystemTime system_now() = 0;
  // Returns 64 random bits to seed a generator with. Deterministic in a simulation.
  virtual std::uint64_t entropy() = 0;

  // Collects events and makes ready what they concern (`reactor.ready`). A backend that can sleep does so
  // until `until` at most, and returns early when something happened or `wake` was called. Returns false if
  // nothing can ever happen again, which only a simulation knows.
  virtual bool wait(Reactor& reactor, Instant until) = 0;

  // Makes the current or the next `wait` return at once. May be called from any thread.
  virtual void wake() noexcept = 0;
};

// The measurements of one turn.
struct Turn {
  Instant began;                       // after the wait
  Duration length;                     // of running the entries
  int resumed = 0;                     // entries that ran
  int timers = 0;                      // of those, the ones made ready by a timer
  Duration lateness;                   // of the timer that was due first; zero if none was due
  Duration longest;                    // of the entry that ran longest
  const void* longest_code = nullptr;  // its Runnable::code(), or the part of it that took most of the time
};

// Called after every turn in which something ran, on the reactor's thread. Must not destroy the reactor, nor
// throw.
class TurnWatcher {
 public:
  virtual ~TurnWatcher() = default;
  // Called on the reactor's thread.
  virtual void turn_ended(const Turn& turn) = 0;
};

class Reactor {
 public:
  // The limits for each queue in one turn, before the backend is polled again: a number of entries, and a
  // time.
  static constexpr int budget = 128;
  static constexpr Duration share = 500us;

  // Both must outlive the reactor.
  Reactor(Backend& backend, TimerQueue& timers);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  // All tasks that were given to the reactor must be gone (checked for those of scopes), and none may be
  // running (checked). Posted functions that have not run are destroyed.
  ~Reactor();

  // Returns the time of this turn: constant while things run, so that all of a turn agrees on it.
  Instant now() const { return now_; }
  // Reads the clock. Deadlines count from this time, so that a long computation before `sleep(10ms)` does not
  // shorten the sleep.
  Instant precise_now();

  // Runs `task` to its end, sleeping in between; until then the thread belongs to the reactor. Returns the
  // task's value or failure. Fails with Errc::internal when a simulation stalls (every task waits and nothing
  // is scheduled), and with Errc::overloaded when there is no memory to advance the timers; none of them is
  // lost, and run may be called again. Must not be called inside a task of this reactor (checked): await
  // there. Hosts that own the loop call step() instead.
  template <class T>
  Result<T> run(Task<T> task);
  // Overload for an Operation, and for a function that returns a task; the function is kept as long as its
  // task (task.h).
  template <class O>
  auto run(O operation);

  // Takes one turn that does not sleep. Returns when to call again if nothing happens before: `now()` when
  // there is more to do at once, `never()` when only an event can bring work. Must not be called inside a
  // task (checked).
  Instant step();

  // Puts `runnable` at the end of the queue. Does nothing if it is already queued.
  void ready(Runnable& runnable) {
    if (!runnable.linked()) ready_.push_back(runnable);
  }
  // Puts it at the front: for the continuation of the task that is running.
  void resume_next(Runnable& runnable) {
    if (!runnable.linked()) next_.push_front(runnable);
  }
  // Puts it behind everything else: it runs in the next turn, after whatever is ready and due then.
  void ready_later(Runnable& runnable);

  // Runs `function()` on the reactor's thread, in one of its next turns; wakes a sleeping reactor. May be
  // called from any thread. If the reactor is destroyed first, `function` is destroyed without being called.
  // An exception that it throws is an unhandled failure.
  template <class F>
  void post(F function) {
    push_posted(new PostedFunction<F>(std::move(function)));
  }
  // Makes a sleeping reactor take another turn. May be called from any thread.
  void wake() noexcept { backend_.wake(); }
  // Returns a handle for other threads, which may outlive the reactor (remote.h).
  Remote remote();
  // Checks that no other thread is running this reactor: its tasks may be woken only on its own thread.
  void check_thread() const {
    const void* thread = running_on_.load(std::memory_order_relaxed);
    ESC_CHECK(thread == nullptr || thread == detail::FramePool::this_thread(),
              "another thread touched what tasks of this reactor wait for; Reactor::post or a Remote gets it "
              "there");
  }

  // Calls `watcher` after each turn, from the next one on. It must outlive the reactor or be replaced; null
  // turns this off, and then it costs one branch a turn. A watched turn reads the clock once more for each
  // entry.
  void watch_turns(TurnWatcher* watcher);
  bool turns_watched() const { return watcher_ != nullptr; }
  // Notes, for the entry that runs in a watched turn, that it called `code` itself, which `Runnable::code`
  // cannot know, and how long that took. If that was most of the entry's time, the turn names `code` instead.
  void note_part(const void* code, Duration took);

  // Calls `handler` with each failure that nobody took: of a task whose Scope is not joined or has an empty
  // on_failure, of a JoinHandle that is not joined, of a posted function that throws. Errc::cancelled is no
  // failure. Without a handler, or with an empty one, failures are printed to standard error (wasm has none:
  // the glue sets a handler). The handler runs on the reactor's thread where the failure is lost, often in a
  // destructor; it must not destroy the reactor. An exception that it throws is printed to standard error.
  void on_unhandled_failure(std::function<void(const Error&)> handler);
  // The same for a function that throws nothing. Links less into a small module.
  void report_unhandled_to(void (*function)(Reactor&, const Error&) noexcept) { report_ = function; }
  // Passes a failure that nobody will take to the handler.
  void report_unhandled(const Error& error) noexcept;

  // Returns the source of events.
  Backend& backend() { return backend_; }
  // Returns the queue of deadlines.
  TimerQueue& timers() { return timers_; }
  // Returns the generator that jitter is drawn from, seeded by the backend at first use.
  Random& random();

 private:
  friend class Remote;
  friend class Scope;
  class Running;
  class RunLoop;
  friend class detail::Notice;
  friend class detail::TaskLocals;
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

  static void print(Reactor&, const Error& error) noexcept { detail::print_unhandled(error); }
  static void call_handler(Reactor& reactor, const Error& error) noexcept;
  // Takes one turn, sleeping until `until` at most. Returns false if the backend knows that no event can
  // come.
  bool turn(Instant until);
  void collect_due();
  Instant next_deadline();
  // Returns false if there was nothing to run.
  bool run_queues();
  bool run_queues_watched();
  bool run_queues_with_locals();
  // Calls `run(runnable)` for each entry of this turn, watched or not (turn.h). Returns how many of them were
  // due timers.
  template <class Run>
  int run_batches(Run run);
  template <class Run>
  int run_batch(List<Runnable>& batch, Instant end, detail::Looks& looks, Run& run);
  // Returns whether the part of the turn that may last until `end` has used up its time. Reads the clock only
  // when `looks` says so.
  bool looks_over(detail::Looks& looks, Instant end) { return looks.due() && look(looks, end); }
  bool look(detail::Looks& looks, Instant end);
  void push_posted(Posted* posted);
  void run_posted();
  // Returns whether posted functions wait, including those that came while earlier ones ran: their wake-up
  // has been used up by then.
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
  List<Runnable> next_;           // continuations of the entry that has just finished: first
  List<Runnable> ready_;          // made ready by events and spawns
  List<Runnable> batch_;          // of those, the entries that this turn runs, or left
  List<Runnable> due_;            // made ready by timers
  List<Runnable> yielded_;        // gave way to all of these
  List<Runnable> yielded_batch_;  // of those, the entries that this turn runs, or left
  detail::Looks looks_{32};
  detail::Looks yielded_looks_{4};
  int starved_ = 0;                               // consecutive failed attempts to advance the timers
  std::size_t spawned_ = 0;                       // tasks in scopes
  std::atomic<const void*> running_on_{nullptr};  // the thread that takes turns now
  std::atomic<Posted*> posted_{nullptr};
  Posted* taken_ = nullptr;  // of those, the ones left for the next turn, in order
  detail::FramePool blocks_;
  void (*report_)(Reactor&, const Error&) noexcept = print;
  std::shared_ptr<const std::function<void(const Error&)>> on_unhandled_;
  friend class detail::HeldFailure;
  List<ListNode> held_failures_;  // failures that are reported here if they are lost
  TurnWatcher* watcher_ = nullptr;
  const void* part_code_ = nullptr;  // the longest part of the running entry
  Duration part_length_;
  // Set by watch_turns and by task-local values, so that nothing else links what they need.
  bool (Reactor::*run_queues_otherwise_)() = nullptr;
  detail::TaskLocals* locals_ = nullptr;  // null until a task uses them
  std::shared_ptr<detail::RemoteEnd> remote_;
  void (*close_remote_)(detail::RemoteEnd&) = nullptr;  // set by remote, likewise
  Random random_{0};
  bool random_seeded_ = false;
  template <bool>
  friend class detail::TaskSource;
  template <bool>
  friend class detail::WaitRecord;
  friend class detail::TaskTreeWalk;
  [[no_unique_address]] detail::TaskSources<detail::task_tree> task_sources_;
};

namespace detail {

// A function that other threads request again and again, without allocating. One run serves all requests made
// before it.
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

// Marks the calling thread as the one that takes turns of `reactor`, as long as this lives.
class Reactor::Running {
 public:
  explicit Running(Reactor& reactor);
  Running(const Running&) = delete;
  ~Running() { reactor_.running_on_.store(nullptr, std::memory_order_relaxed); }

 private:
  Reactor& reactor_;
  detail::FramePool::Use blocks_;
};

// The part of `run` that does not depend on the task's type. The end of the task makes it ready.
class Reactor::RunLoop final : public Runnable {
 public:
  explicit RunLoop(Reactor& reactor);
  void run() override { ended_ = true; }
  // Takes turns until the task has ended. Returns an error if taking another is of no use.
  std::optional<Error> turns();

 private:
  std::optional<Error> turn();

  Reactor& reactor_;
  Running running_;
  bool ended_ = false;
};

}  // namespace escapement
