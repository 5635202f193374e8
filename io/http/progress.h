// CallProgress: how far a call has come, for the caller that gives it up before its response.

#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include <escapement/core/error.h>

namespace escapement::http {

// Follows a call from wait to wait: for traces.
class CallObserver {
 public:
  // Called when the call begins to wait for `what`; `none`: for nothing that is reported.
  virtual void call_waits_for(TimeLimit what) = 0;

 protected:
  ~CallObserver() = default;

 private:
  friend struct CallProgress;
  CallObserver* outer_ = nullptr;  // the one that was there before
};

// Shared by a request and its copies (Request::progress). A Timeout layer makes one; what sends requests
// keeps it up to date. It outlives a call that was cancelled, and says then what the call was doing.
struct CallProgress {
  // The limit of the thing that the call waits for now. `none`: it waits for something that is not reported,
  // such as a pause between attempts.
  TimeLimit waits_for = TimeLimit::none;
  // Request::attempt of the attempt that began last.
  int attempt = 0;
  // True once it was given to something that reports here (Client does). Nothing is known of what was sent
  // otherwise.
  bool reported = false;
  // True once sending has begun: the peer may have received some of the request.
  bool maybe_sent = false;
  // True if the attempt that ended last failed because the server closed the connection, as one does in good
  // order, before it had sent any of a final response. (curl's "empty reply from server".)
  bool closed_unanswered = false;
  // The time that the attempt has waited in a queue before it could be sent, for a connection of a pool or
  // one of a host's places, and since when it does so now (never(): not now). Of the time limits only that of
  // the queue, and that of the whole call, runs meanwhile.
  Duration queued;
  Instant queued_since = Instant::never();

  // The progress of the whole call, where this is that of one of several attempts side by side (Hedge). What
  // is noted here is noted there too, and its observer is called if there is none here. Null otherwise.
  std::shared_ptr<CallProgress> whole;

  // Called for each change of `waits_for`, if it is not null: the one that has begun to observe last.
  CallObserver* observer = nullptr;

  // Lets `by` observe until `stop_observing`, which it must call before it is destroyed.
  void observe(CallObserver& by) {
    by.outer_ = observer;
    observer = &by;
  }
  // Takes `by` out of the chain of observers, also from its middle: of attempts side by side any may end
  // first. Does nothing if it is not in it.
  void stop_observing(CallObserver& by) {
    CallObserver** at = &observer;
    while (*at != nullptr && *at != &by) at = &(*at)->outer_;
    if (*at == &by) *at = by.outer_;
  }

  // Notes that the call waits for `what` from now on.
  void wait_for(TimeLimit what) {
    CallObserver* innermost = nullptr;
    for (CallProgress* each = this; each != nullptr; each = each->whole.get()) {
      each->waits_for = what;
      if (innermost == nullptr) innermost = each->observer;
    }
    if (innermost != nullptr) innermost->call_waits_for(what);
  }
  // Notes that an attempt begins with something that reports here.
  void begin(int number) {
    for (CallProgress* each = this; each != nullptr; each = each->whole.get()) {
      each->reported = true;
      each->closed_unanswered = false;
      each->attempt = number;
    }
  }
  // Notes that sending begins, and that the call waits for `what` from now on.
  void send(TimeLimit what) {
    for (CallProgress* each = this; each != nullptr; each = each->whole.get()) each->maybe_sent = true;
    wait_for(what);
  }
  // Notes that the server has closed the connection instead of responding.
  void close_unanswered() {
    for (CallProgress* each = this; each != nullptr; each = each->whole.get()) each->closed_unanswered = true;
  }
  // Notes that the attempt waits in a queue from `now` on.
  void enter_queue(Instant now) {
    wait_for(TimeLimit::queue);
    begin_queued(now);
  }
  // Notes that it has left the queue, if it was in one.
  void leave_queue(Instant now) {
    wait_for(TimeLimit::none);
    end_queued(now);
  }

 private:
  // The whole call waits in a queue until the first of its attempts leaves one.
  void begin_queued(Instant now) {
    queued_since = now;
    if (whole && !whole->maybe_sent && whole->queued == Duration() && whole->queued_since == Instant::never())
      whole->begin_queued(now);
  }
  void end_queued(Instant now) {
    if (queued_since != Instant::never()) queued += now - std::exchange(queued_since, Instant::never());
    if (whole) whole->end_queued(now);
  }
};

// "connecting" for TimeLimit::connect: what a call does while it waits for that. Empty for `none`.
std::string_view doing(TimeLimit waits_for);

}  // namespace escapement::http
