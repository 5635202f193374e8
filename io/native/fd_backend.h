// FdBackend: a Backend that can also watch file descriptors. What lets tcp.cpp and resolve.cpp ignore
// which poller runs.

#pragma once

#include <cstdint>

#include <escapement/core/task.h>

namespace escapement {

// One watched descriptor. The owner tries the operation first and waits only after EAGAIN; the watcher
// says when to try again. `readable` and `writable` are what to make ready then: set while waiting, null
// otherwise. Errors and hang-ups wake both. The entry in the backend is made by `watch` and lasts until
// `unwatch`, which the owner calls before it closes the descriptor.
//
// A reader that has taken all there was (a read shorter than its room, or EAGAIN) says so by `drained`, and
// need not try again before the backend has `may_read` set: that saves the read that would fail. Not where
// the peer's end was seen already: no further event would tell of it. A writer that got EAGAIN may clear
// `may_write` likewise.
struct FdWatch {
  int fd = -1;
  std::uint32_t slot = 0;  // for the backend's own use
  Runnable* readable = nullptr;
  Runnable* writable = nullptr;
  bool may_read = true;       // what could be read may be there; set with or without a waiter
  bool may_write = true;      // there may be room; the same
  bool ending = false;        // the peer's end or a failure was seen: reading comes to it
  bool write_closed = false;  // nothing can be sent any more
  bool news_only = false;     // `readable` waits for what comes next, not for what may be read already

  void drained() { may_read = ending; }
  // EAGAIN: no end is there either.
  void drained_for_now() { may_read = false; }
};

class FdBackend : public Backend {
 public:
  // Begins to watch; `watch` stays where it is until `unwatch`. Fails: overloaded when the system has no
  // room (ENOSPC, ENOMEM); the reactor lives on.
  virtual Result<> watch(FdWatch& watch) = 0;
  virtual void unwatch(FdWatch& watch) = 0;
  // The same where the owner closes the descriptor next: epoll forgets it then by itself, which saves a
  // system call. A duplicate in another process may cause events still; they concern nobody.
  virtual void unwatch_closing(FdWatch& watch) { unwatch(watch); }
  // Before `writable` is set. (epoll, edge-triggered, arms it the first time, for good; poll rebuilds its
  // interest at every wait.) Fails as `watch` does; what is watched already still is.
  virtual Result<> watch_writes(FdWatch& watch) = 0;

  // A descriptor that becomes readable when this backend has events, to embed the reactor in somebody
  // else's loop: wait for it or for the deadline that `Reactor::step` returned, then call `step` again.
  // -1 where there is none (poll).
  virtual int pollable_fd() const = 0;
};

namespace detail {

// Suspends until `which` of `watch` fires. Spurious wakes are possible: try the operation again.
class [[nodiscard]] FdReadiness : public Awaiter<FdReadiness> {
 public:
  // `place` is the watch's `readable` or `writable`.
  FdReadiness(FdWatch& watch, Runnable*& place) : watch_(watch), place_(place) {}
  FdReadiness(const FdReadiness&) = delete;
  ~FdReadiness() {
    if (waiting_ != nullptr && place_ == waiting_) place_ = nullptr;
  }

  bool await_ready() const noexcept { return false; }
  void suspend(PromiseBase& task) {
    ESC_CHECK(place_ == nullptr, "two readers, or two writers, of one descriptor at a time");
    place_ = waiting_ = &task;
    watch_.news_only = false;
  }
  void await_resume() const noexcept {}

 private:
  FdWatch& watch_;
  Runnable*& place_;
  Runnable* waiting_ = nullptr;
};

inline FdReadiness until_readable(FdWatch& watch) { return FdReadiness(watch, watch.readable); }
// After watch_writes.
inline FdReadiness until_writable(FdWatch& watch) { return FdReadiness(watch, watch.writable); }

}  // namespace detail

}  // namespace escapement
