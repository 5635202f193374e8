// DurableTimers: any number of timers in the storage of a Durable Object, on its one alarm.
//
//     class Reminders final : public DurableObject {
//      public:
//       Reminders(Reactor& reactor, DurableStorage& storage) : timers_(reactor, storage, remind) {}
//       Task<http::Response> fetch(http::Request request) override {
//         co_await timers_.set_after("invoice-17", 72h, "a payload");
//         co_return http::Response(202);
//       }
//       Task<> alarm() override { return timers_.alarm(); }
//
//      private:
//       static Task<> remind(DurableTimer timer) { ... send(timer.idempotency_key, timer.payload); }
//       DurableTimers timers_;
//     };
//
// Promises, whatever is killed at whatever instant:
// - Once `set` has finished, the timer fires, at least once, unless it is cancelled or set again.
// - It never fires before its time, by the host's wall clock.
// - Every call for one firing has the same idempotency key, and no other firing has it: pass it on, and the
//   receiver can make of "at least once" an "exactly once".
// - All changes that are made in one turn of the reactor leave in one write, with at most one alarm.
// - Once `set` or `cancel` has finished, it holds after a restart.
//
// In memory is only what is being changed or fired. In the storage a timer is two entries: one in the order
// of the times, with its payload, and one that finds this by the timer's name.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/core/mutex.h>
#include <escapement/core/scope.h>
#include <escapement/io/bindings/durable_storage.h>

namespace escapement {

// A timer that fires.
class DurableTimer {
 public:
  std::string name;             // as it was set
  std::string payload;          // as it was set
  SystemTime due;               // as it was set
  std::string idempotency_key;  // the same each time that this firing is repeated, and only then
  int attempt = 1;              // calls of the handler for this firing, this one included, as far as known
};

// Called when a timer is due. It may set and cancel timers. If it fails, it is called
// again later, unless its timer was set again or cancelled meanwhile.
using DurableTimerHandler = std::function<Task<>(DurableTimer)>;

// Limits and settings of DurableTimers.
class DurableTimersOptions {
 public:
  // The beginning of every key that they use in the storage.
  std::string prefix = "timers/";
  // The most timers that fire between two writes: what may fire twice if the object is killed. At least 1.
  std::size_t batch_max = 100;
  // Handlers that run at once. At least 1.
  std::size_t concurrency = 6;
  // The time for which a handler may run; then it is cancelled, and has failed.
  Duration handler_timeout = 30s;
  // The wait before a handler that has failed is called again: doubled each time, up to `retry_max`. There is
  // no last time, because a timer that is dropped would be lost: the handler decides when to give up.
  Duration retry_min = 1s;
  Duration retry_max = 1h;
  // Names and payloads that are longer are refused.
  std::size_t name_bytes_max = 512;
  std::size_t payload_bytes_max = 64 * 1024;
};

class DurableTimers {
 public:
  // `storage` must outlive it, and no other DurableTimers may use the same prefix in it. Reads nothing yet.
  // Destroying it cancels what runs, and loses nothing that `set` has promised.
  DurableTimers(Reactor& reactor, DurableStorage& storage, DurableTimerHandler handler,
                DurableTimersOptions options = DurableTimersOptions());
  DurableTimers(const DurableTimers&) = delete;
  ~DurableTimers();

  // Sets the timer `name`, in place of the one of that name, if any. Finishes when it is durable. One whose
  // time has passed fires at once. `due` is rounded to a millisecond, and must not be before 1970 (it is then
  // 1970).
  //
  // Fails with invalid_argument for an empty name or one that is too long, with limit_exceeded for a payload
  // that is too long, and as the storage fails. After a failure, and when it is cancelled, it is not known
  // whether the timer is set: set it again.
  Task<> set(std::string name, SystemTime due, std::string payload = {});
  // Sets it to fire no earlier than `delay` from now.
  Task<> set_after(std::string name, Duration delay, std::string payload = {});
  // Cancels the timer `name`. Returns whether there was one. Once this has finished its handler is not called
  // any more, but one that runs already runs to its end. Fails as the storage fails.
  Task<bool> cancel(std::string name);
  // Returns when the timer `name` is due next; nullopt if there is none.
  Task<std::optional<SystemTime>> due(std::string name);

  // Fires the timers that are due: the object's alarm handler. Fails as the storage fails; the host then
  // calls again.
  Task<> alarm();

 private:
  struct Place;
  struct Due;
  struct Batch;
  struct Commit;

  Task<> load();
  Task<std::optional<Place>> find(std::string name);
  std::shared_ptr<Commit> staged(const std::string& name, const std::optional<Place>& old,
                                 const std::optional<Place>& next, std::string value);
  const std::optional<Place>* unwritten(const std::string& name) const;
  Commit& open_commit();
  // Returns the changes that are written last; null if all are.
  std::shared_ptr<Commit> last_commit() const { return open_ ? open_ : writing_; }
  Task<> durable(std::shared_ptr<Commit> commit);
  Task<> write_commits();
  void want_alarm(SystemTime at);
  void set_alarm();
  Task<> fire_all();
  Task<Batch> next_batch(SystemTime now);
  Task<> fire_batch(Batch& batch);
  Task<> fire(Due& due);
  void settle(Due& due);
  std::string time_key(const Place& place, const std::string& name) const;
  std::string name_key(const std::string& name) const;

  Reactor& reactor_;
  DurableStorage& storage_;
  DurableTimerHandler handler_;
  DurableTimersOptions options_;
  Mutex loading_;
  bool loaded_ = false;
  // The alarm that is set, or will be by the changes of this turn; no later than the earliest timer. Known
  // once loaded.
  std::optional<SystemTime> alarm_;
  std::uint64_t alarm_version_ = 0;  // counts its changes
  bool alarm_unsure_ = false;        // a write has failed that may have set it
  Mutex one_alarm_;
  // While timers fire, the alarm handler sets the alarm at its end: to the earliest timer that it knows of.
  bool firing_ = false;
  std::optional<SystemTime> set_meanwhile_;
  std::map<std::string, Due*> in_flight_;  // the timers that fire now, by name
  std::shared_ptr<Commit> open_;           // the changes of this turn
  std::shared_ptr<Commit> writing_;        // changes on their way
  bool writer_runs_ = false;
  Scope writer_;
};

}  // namespace escapement
