// Loop: a reactor with a timer wheel, the platform's best backend and its network. The starting point of a
// native program.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include <escapement/core/remote.h>
#include <escapement/core/task.h>
#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/precision.h>
#include <escapement/io/native/tcp.h>
#include <escapement/io/native/watchdog.h>
#include <escapement/timers/wheel.h>

namespace escapement {

// Settings of a loop.
struct LoopOptions {
  // "epoll" or "poll"; empty: the default chosen when the library was built (CMake option ESC_BACKEND).
  std::string backend;
  // The precision of timers; the default costs nothing.
  Precision precision;
  TcpOptions tcp;
  // Turns that take longer are reported on standard error, with the tasks that wait meanwhile (watchdog.h).
  // Unset: 250 ms where the library was built for debugging, never elsewhere. Duration::max() never.
  std::optional<Duration> turn_max;
};

// One thread's loop. A program may have several, each on its own thread.
class Loop {
 public:
  // Errors: invalid_argument for an unknown backend or a precision outside its bounds; overloaded when
  // descriptors (epoll needs two, poll one) or memory run out.
  static Result<std::unique_ptr<Loop>> make(LoopOptions options);
  // Uses the default backend. Aborts the program where `make` would fail, for want of descriptors.
  Loop();
  // Destroy everything that uses the loop first (checked for tasks of scopes, and for everything that watches
  // descriptors: streams, listeners, clients, servers, resolvers).
  ~Loop();
  Loop(const Loop&) = delete;

  // Runs `task` to completion and returns its result; see Reactor::run.
  template <class T>
  Result<T> run(Task<T> task) {
    return reactor_.run(std::move(task));
  }
  template <Operation O>
  auto run(O operation) {
    return reactor_.run(detail::as_task(std::move(operation)));
  }
  // Runs a coroutine lambda, which is kept alive until it completes: `loop.run([&]() -> Task<> { ... });`
  template <detail::TaskFunction F>
  auto run(F function) {
    return reactor_.run(std::move(function));
  }

  // Embeds the loop in another event loop: call `step` (it never sleeps) when `pollable_fd` is readable, and
  // when the instant that the last step returned is reached. `pollable_fd` is -1 if this backend has no such
  // descriptor.
  Instant step() { return reactor_.step(); }
  int pollable_fd() const { return backend_->pollable_fd(); }

  // Returns the loop's reactor.
  Reactor& reactor() { return reactor_; }
  // For use by other threads; remains valid after the loop is destroyed.
  Remote remote() { return reactor_.remote(); }
  FdBackend& backend() { return *backend_; }
  TimerWheel& timers() { return wheel_; }
  TcpNetwork& network() { return network_; }

 private:
  Loop(std::unique_ptr<FdBackend> backend, TcpOptions tcp, std::optional<Duration> turn_max);

  std::unique_ptr<FdBackend> backend_;
  TimerWheel wheel_;
  std::optional<Watchdog> watchdog_;  // outlives the reactor
  Reactor reactor_;
  TcpNetwork network_;
};

}  // namespace escapement
