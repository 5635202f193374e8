// Loop: a reactor with a timer wheel, the best backend of this machine, and its network. What a native
// program begins with.

#pragma once

#include <memory>
#include <string>

#include <escapement/core/remote.h>
#include <escapement/core/task.h>
#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/precision.h>
#include <escapement/io/native/tcp.h>
#include <escapement/timers/wheel.h>

namespace escapement {

struct LoopOptions {
  // "epoll" or "poll"; empty: the one this library was built for (CMake option ESC_BACKEND).
  std::string backend;
  // How exactly timers fire; the default costs nothing.
  Precision precision;
  TcpOptions tcp;
};

// One thread's loop; several may live in one program, each on its thread.
class Loop {
 public:
  // Errc::invalid_argument for a backend that does not exist, or a precision out of its bounds; overloaded
  // when there are no descriptors (two with epoll, one with poll) or no memory for it.
  static Result<std::unique_ptr<Loop>> make(LoopOptions options);
  // The default backend. Where `make` would fail, for want of descriptors, the program stops.
  Loop();
  // Everything that uses it must be gone (checked for tasks of scopes, and for what watches descriptors:
  // streams, listeners, clients, servers, resolvers).
  ~Loop();
  Loop(const Loop&) = delete;

  // Runs `task` to its end; see Reactor::run.
  template <class T>
  Result<T> run(Task<T> task) {
    return reactor_.run(std::move(task));
  }
  template <Operation O>
  auto run(O operation) {
    return reactor_.run(detail::as_task(std::move(operation)));
  }
  // A lambda that is a coroutine is kept as long as it runs: `loop.run([&]() -> Task<> { ... });`
  template <detail::TaskFunction F>
  auto run(F function) {
    return reactor_.run(std::move(function));
  }

  // To embed it in somebody else's loop: call `step` (it never sleeps) when `pollable_fd` is readable and
  // when the instant that the last step returned has come. -1: this backend has no such descriptor.
  Instant step() { return reactor_.step(); }
  int pollable_fd() const { return backend_->pollable_fd(); }

  Reactor& reactor() { return reactor_; }
  // For other threads, also after the loop's end.
  Remote remote() { return reactor_.remote(); }
  FdBackend& backend() { return *backend_; }
  TimerWheel& timers() { return wheel_; }
  TcpNetwork& network() { return network_; }

 private:
  Loop(std::unique_ptr<FdBackend> backend, TcpOptions tcp);

  std::unique_ptr<FdBackend> backend_;
  TimerWheel wheel_;
  Reactor reactor_;
  TcpNetwork network_;
};

}  // namespace escapement
