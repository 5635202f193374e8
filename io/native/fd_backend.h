// FdBackend: a Backend that can also watch file descriptors. Lets tcp.cpp and resolve.cpp ignore which poller
// runs.

#pragma once

#include <cstdint>

#include <escapement/core/task.h>

namespace escapement {

// One watched descriptor. The owner tries the operation first and waits only after EAGAIN; the backend
// signals when to try again, by making `readable` or `writable` ready. Those are set while somebody waits and
// null otherwise. Errors and hang-ups wake both. `watch` creates the entry in the backend; it lasts until
// `unwatch`, which the owner calls before it closes the descriptor.
//
// A reader that has drained the descriptor (a read shorter than its buffer, or EAGAIN) calls `drained`, and
// need not try again until the backend sets `may_read`: this saves the read that would fail. Once the peer's
// end has been seen, `may_read` stays set, because no further event would report the end. A writer that got
// EAGAIN may clear `may_write` in the same way.
struct FdWatch {
  int fd = -1;                   // owned by the maker of this
  std::uint32_t slot = 0;        // for the backend's own use
  Runnable* readable = nullptr;  // made ready when there may be something to read
  Runnable* writable = nullptr;  // made ready when there may be room to write
  bool may_read = true;          // there may be something to read; set whether or not somebody waits
  bool may_write = true;         // there may be room to write; likewise
  bool ending = false;           // the peer's end or an error was seen: reading will reach it
  bool write_closed = false;     // nothing more can be sent
  bool news_only = false;  // `readable` waits for new events only, not for bytes that are already readable

  // Called after a short read or EAGAIN.
  void drained() { may_read = ending; }
  // Called after EAGAIN, which shows that the end has not been reached either.
  void drained_for_now() { may_read = false; }
};

class FdBackend : public Backend {
 public:
  // Starts watching; `watch` must stay where it is until `unwatch`. Errors: overloaded when the system has no
  // room (ENOSPC, ENOMEM); the reactor keeps running.
  virtual Result<> watch(FdWatch& watch) = 0;
  virtual void unwatch(FdWatch& watch) = 0;
  // Like `unwatch`, when the owner closes the descriptor next: epoll then forgets it by itself, which saves a
  // system call. A duplicate in another process may still cause events; they are ignored.
  virtual void unwatch_closing(FdWatch& watch) { unwatch(watch); }
  // Enables write events; call it before setting `writable`. (Edge-triggered epoll arms them once, for good;
  // poll rebuilds its interest at every wait.) Errors: as `watch`; existing watches are not affected.
  virtual Result<> watch_writes(FdWatch& watch) = 0;

  // Returns a descriptor that becomes readable when this backend has events, for embedding the reactor in
  // another event loop: wait for it or for the deadline that `Reactor::step` returned, then call `step`
  // again. Returns -1 where there is none (poll).
  virtual int pollable_fd() const = 0;
};

namespace detail {

// Suspends until `watch` becomes readable or writable. Spurious wake-ups are possible: try the operation
// again.
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] FdReadiness
    : public Awaiter<FdReadiness> {
 public:
  static constexpr const char* waits_for = "descriptor";
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
// Requires a successful `watch_writes` first.
inline FdReadiness until_writable(FdWatch& watch) { return FdReadiness(watch, watch.writable); }

}  // namespace detail

}  // namespace escapement
