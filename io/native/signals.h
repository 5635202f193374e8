// Signals: SIGINT and SIGTERM as something to await.

#pragma once

#include <initializer_list>
#include <memory>

#include <escapement/core/task.h>
#include <escapement/io/native/fd_backend.h>

namespace escapement {

// Takes the signals it is given away from their default effect, for the whole process, as long as it lives;
// afterwards they are as before. Make it before other threads are started: it blocks the signals in the
// calling thread, and new threads inherit that.
class Signals {
 public:
  // The backend must outlive it. Errc::overloaded when no descriptor is left.
  static Result<std::unique_ptr<Signals>> make(FdBackend& backend, std::initializer_list<int> numbers);
  ~Signals();

  // The number of the next one of them that arrives. Several of the same number that arrive before they are
  // awaited may count as one. One waiter at a time.
  Task<int> next();

 private:
  class State;
  explicit Signals(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace escapement
