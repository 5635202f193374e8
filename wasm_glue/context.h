// Context: a Reactor with its timers and tasks, for one request of a Worker or one task that JS runs. Each
// has its own, because hosts let no request touch another's I/O, and a timer of one request does not fire for
// another.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/timers/small_wheel.h>
#include <escapement/timers/timeout.h>
#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/host_backend.h>

namespace escapement::wasm {

class HostReply;

// Reports a failure that nothing else reports to the host (console.error, or options.onError).
void report_failure(const Error& error) noexcept;

// Receives the host's wish that the tasks end. Implemented in abort_signal.cpp.
class AbortEvents {
 public:
  virtual ~AbortEvents() = default;
  // Called inside esc_cancel, each time. Must not destroy the context.
  virtual void aborted() = 0;
};

class Context {
 public:
  // `host` must outlive the context; `now` is the host's clock.
  Context(Host& host, double now);
  Context(const Context&) = delete;

  // The context that a task runs in: every reactor of a wasm module belongs to one.
  static Context& of(Reactor& reactor) { return static_cast<Owned&>(reactor).context; }

  // Some turns, the first at `now`; see esc_step in abi.h.
  double step(double now);
  // Destroys every task. Returns true if it told them instead, because they watch for that.
  bool cancel() {
    if (abort_ == nullptr) {
      scope_.cancel();
      return false;
    }
    abort_->aborted();
    return true;
  }
  // From now on the tasks are told. They may wait for that alone.
  void watch_abort(std::unique_ptr<AbortEvents> events) {
    if (abort_ == nullptr) ++waits_for_host_;
    abort_ = std::move(events);
  }
  AbortEvents* abort() const { return abort_.get(); }

  // Returns the context's reactor.
  Reactor& reactor() { return reactor_; }
  // The tasks of this context. A task's failure is unhandled (Reactor::on_unhandled_failure) unless the task
  // reports it itself.
  Scope& scope() { return scope_; }

  // The receivers of the host's replies, by number. The first one of a context has number 1.
  int add(HostReply& reply);
  void remove(int id);
  // Null once it is gone: a late report is dropped.
  HostReply* find(int id);

  // The fetches that may wait for a response's head at once (host_fetch.h); made at the first fetch.
  std::unique_ptr<Semaphore> fetch_places;

  // Waits until the host reports and `reported` is set. Fails with timed_out after `limit`, which is called
  // `name`.
  Task<> wait_for_host(Event& reported, Duration limit, escapement::detail::LimitName name);

 private:
  struct Owned : Reactor {
    Owned(Backend& backend, TimerQueue& timers, Context& c) : Reactor(backend, timers), context(c) {}
    Context& context;
  };

  HostBackend backend_;
  SmallWheel wheel_;
  Owned reactor_;
  struct Numbered {
    int id;
    HostReply* reply;
  };
  std::vector<Numbered>::iterator place_of(int id);

  std::vector<Numbered> replies_;  // in the order of their numbers
  int last_id_ = 0;
  int waits_for_host_ = 0;
  std::unique_ptr<AbortEvents> abort_;  // set by abort_signal
  Scope scope_;                         // last: its tasks use all of the above until they are gone
};

}  // namespace escapement::wasm
