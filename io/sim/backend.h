// SimBackend: a Backend whose time is simulated. Nothing sleeps; time jumps to the next thing that is due.

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

// The one number from which everything random in a simulation follows.
struct Seed {
  std::uint64_t value = 1;
};

// One thing that happened in a simulated world.
struct SimTrace {
  Instant at;
  std::string_view what;      // "deliver", "reset", "advance", ...
  std::uint64_t subject = 0;  // which connection; 0 where there is none
  std::uint64_t amount = 0;   // bytes; nanoseconds for "advance"
};

// Where the clock of a simulation begins, and what its wall clock shows then.
struct SimClock {
  Instant start;
  SystemTime wall = SystemTime::from_unix_milliseconds(1'767'225'600'000);  // 2026-01-01T00:00:00Z
};

// A backend for tests. Its time stands still while anything can run: `wait` moves it only when the reactor
// has nothing to do and no simulated event is due, and then straight to whichever comes first, the
// reactor's next deadline or the next event. Neither the speed of the machine nor real time has any
// influence, so the same seed gives the same run, event by event.
//
// Whatever simulates the outside puts its events here with `schedule`. Must outlive the reactor and
// everything that schedules.
class SimBackend final : public Backend {
 public:
  using Event = std::function<void()>;
  // Names a scheduled event. Ordered by time, then by the order of scheduling.
  using EventId = std::pair<Instant, std::uint64_t>;

  explicit SimBackend(Seed seed = Seed(), SimClock clock = SimClock());
  // Events that have not happened are destroyed, and so are those that this schedules.
  ~SimBackend() override;

  Instant now() override { return now_; }
  // The wall clock's start plus the time simulated since, and what it was moved by.
  SystemTime system_now() override { return clock_.wall + elapsed(); }
  // Somebody sets the wall clock, forwards or, with less than zero, back. Nothing else moves.
  void move_wall_clock(Duration by) { clock_.wall = clock_.wall + by; }
  // From the seed.
  std::uint64_t entropy() override { return entropy_.next(); }
  // Runs the events that are due; only if there are none moves the time, to `until` or to the next event,
  // and runs those due then. False when `until` is never and no event is scheduled.
  bool wait(Reactor& reactor, Instant until) override;
  void wake() noexcept override { woken_.store(true, std::memory_order_release); }

  // Whether the next `wait` would return at once because of `wake`.
  bool woken() const { return woken_.load(std::memory_order_acquire); }

  Duration elapsed() const { return now_ - clock_.start; }

  // Calls `event` at `at`, inside `wait`, at once where that has passed. Like every event it may only mark
  // things ready and schedule more.
  EventId schedule(Instant at, Event event);
  // Forgets an event that has not happened yet; nothing where it has.
  void unschedule(EventId id) { events_.erase(id); }
  // When the next event happens; never() when there is none.
  Instant next_event() const { return events_.empty() ? Instant::never() : events_.begin()->first.first; }

  // Time passes and nothing runs meanwhile: a long computation, a process that was stopped. May be called
  // from inside a task. Negative lengths count as zero.
  void freeze(Duration length);

  // Notes something that happened. The hash of all notes so far proves that two runs were the same; the
  // hook, where set, is told each one.
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
