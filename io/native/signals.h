// Signals: SIGINT, SIGTERM and the like as something to await.

#pragma once

#include <initializer_list>
#include <memory>

#include <escapement/core/task.h>
#include <escapement/io/native/fd_backend.h>

namespace escapement {

// Takes the given signals from their default effect, for the whole process and as long as this lives, then
// restores it. Make it before starting other threads: it blocks the signals in the calling thread, and new
// threads inherit that.
class Signals {
 public:
  // `backend` must outlive the result. Errors: overloaded when no descriptor is left.
  static Result<std::unique_ptr<Signals>> make(FdBackend& backend, std::initializer_list<int> numbers);
  ~Signals();

  // Waits for the next of the signals and returns its number. Signals of the same number that arrive before
  // they are awaited may count as one. Only one task may wait at a time.
  Task<int> next();

 private:
  class State;
  explicit Signals(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace escapement
