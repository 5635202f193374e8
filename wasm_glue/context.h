// Context: a Reactor with its timers and tasks, for one request of a Worker or one task that JS runs. Each
// has its own, because hosts let no request touch another's I/O, and a timer of one request does not fire for
// another.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/timers/timeout.h>
#include <escapement/timers/wheel.h>
#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/host_backend.h>

namespace escapement::wasm {

// Reports a failure that nothing else reports to the host (console.error, or options.onError).
void report_failure(const Error& error) noexcept;

// Receives the host's reports about one fetch. Implemented in host_fetch.cpp.
class FetchEvents {
 public:
  // The response's head has arrived, as abi.h writes heads.
  virtual void head(std::string text) = 0;
  // The next bytes of the body have arrived; empty: its end.
  virtual void bytes(std::string bytes) = 0;
  // The fetch has failed; no further call follows.
  virtual void failed(FetchFailure kind, std::string why) = 0;

 protected:
  ~FetchEvents() = default;
};

// Receives the host's reports about the request being handled. Implemented in worker.cpp.
class RequestEvents {
 public:
  // The next bytes of the request body have arrived; empty: its end.
  virtual void bytes(std::string bytes) = 0;
  // The request body has broken off.
  virtual void failed(Error why) = 0;
  // The reader of the response asks for more.
  virtual void wanted() = 0;

 protected:
  ~RequestEvents() = default;
};

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

  // The fetches in flight, by their number.
  int add_fetch(FetchEvents& fetch);
  void remove_fetch(int id);
  // Null once its task is gone: a late report is dropped.
  FetchEvents* fetch(int id);

  // Waits until the host reports and `reported` is set. Fails with timed_out after `limit`, which is called
  // `name`.
  Task<> wait_for_host(Event& reported, Duration limit, escapement::detail::LimitName name);

  RequestEvents* request = nullptr;  // the request being handled; null in a context that JS runs a task in

 private:
  struct Owned : Reactor {
    Owned(Backend& backend, TimerQueue& timers, Context& c) : Reactor(backend, timers), context(c) {}
    Context& context;
  };

  HostBackend backend_;
  TimerWheel wheel_;
  Owned reactor_;
  struct Fetching {
    int id;
    FetchEvents* fetch;
  };
  std::vector<Fetching>::iterator find_fetch(int id);

  std::vector<Fetching> fetches_;  // in the order of their numbers
  int last_fetch_ = 0;
  int waits_for_host_ = 0;
  std::unique_ptr<AbortEvents> abort_;  // set by abort_signal
  Scope scope_;                         // last: its tasks use all of the above until they are gone
};

}  // namespace escapement::wasm
