// SimBackend: a Backend with simulated time. Nothing sleeps; time jumps to the next thing that is due.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include <escapement/core/random.h>
#include <escapement/core/reactor.h>

namespace escapement {

// The one number that determines everything random in a simulation.
struct Seed {
  std::uint64_t value = 1;  // any number
};

// One event of a simulated world.
struct SimTrace {
  Instant at;                 // when it happened
  std::string_view what;      // "deliver", "reset", "advance", ...
  std::uint64_t subject = 0;  // the connection; 0 if there is none
  std::uint64_t amount = 0;   // bytes; nanoseconds for "advance"
};

// The start of a simulation's clock, and the wall-clock time it shows then.
struct SimClock {
  Instant start;                                                            // the first `now()`
  SystemTime wall = SystemTime::from_unix_milliseconds(1'767'225'600'000);  // 2026-01-01T00:00:00Z
};

// A backend for tests. Its time stands still while anything can run: `wait` moves it only when the reactor
// has nothing to do and no simulated event is due, and then straight to whichever comes first, the reactor's
// next deadline or the next event. Neither the speed of the machine nor real time has any influence, so the
// same seed gives the same run, event by event.
//
// Simulations of the outside world put their events here with `schedule`. The backend must outlive the
// reactor and everything that schedules.
class SimBackend final : public Backend {
 public:
  // Something that happens at a scheduled instant.
  using Event = std::function<void()>;
  // Identifies a scheduled event. Ordered by time, then by the order of scheduling.
  using EventId = std::pair<Instant, std::uint64_t>;

  // Makes a world at `clock.start` in which nothing is scheduled.
  explicit SimBackend(Seed seed = Seed(), SimClock clock = SimClock());
  // Destroys the events that have not happened, and any that their destruction schedules.
  ~SimBackend() override;

  Instant now() override { return now_; }
  // Returns the wall clock's start plus the simulated time since, and the moves below.
  SystemTime system_now() override { return clock_.wall + elapsed(); }
  // Sets the wall clock forwards or, with a negative length, back. Nothing else moves.
  void move_wall_clock(Duration by) { clock_.wall = clock_.wall + by; }
  // Returns random bits drawn from the seed.
  std::uint64_t entropy() override { return entropy_.next(); }
  // Runs the events that are due. If there are none, moves the time to `until` or to the next event, and runs
  // those due then. Returns false if `until` is never and no event is scheduled.
  bool wait(Reactor& reactor, Instant until) override;
  void wake() noexcept override { woken_.store(true, std::memory_order_release); }

  // Returns whether the next `wait` would return at once because of `wake`.
  bool woken() const { return woken_.load(std::memory_order_acquire); }

  // Returns the time simulated since the start.
  Duration elapsed() const { return now_ - clock_.start; }

  // Calls `event` at `at`, inside `wait`; at once if that has passed. Like every event it may only mark
  // things ready and schedule more.
  EventId schedule(Instant at, Event event);
  // Cancels an event that has not happened yet; does nothing if it has.
  void unschedule(EventId id) { events_.erase(id); }
  // Returns the time of the next event; never() if there is none.
  Instant next_event() const { return events_.empty() ? Instant::never() : events_.begin()->first.first; }

  // Lets time pass while nothing runs: a long computation, a process that was stopped. May be called from
  // inside a task. Negative lengths count as zero.
  void freeze(Duration length);

  // Records an event. The hash of all records so far proves that two runs were the same; the hook, if set, is
  // called with each one.
  void trace(std::string_view what, std::uint64_t subject = 0, std::uint64_t amount = 0);
  std::uint64_t trace_hash() const { return trace_hash_; }
  void on_trace(std::function<void(const SimTrace&)> hook) { hook_ = std::move(hook); }

 private:
  bool run_due_events();
  void move_to(Instant at);

  SimClock clock_;
  Instant now_;
  Random entropy_;
  std::map<EventId, Event> events_;
  std::uint64_t scheduled_ = 0;
  std::atomic<bool> woken_{false};
  std::uint64_t trace_hash_;
  std::function<void(const SimTrace&)> hook_;
};

}  // namespace escapement
