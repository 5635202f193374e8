// Ends the bench programs on our own reactor in good order at SIGTERM.

#pragma once

#include <signal.h>

#include <cstdio>
#include <memory>

#include <escapement/core/combine.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/signals.h>

namespace bench {

// Not in the coroutine: g++ 12 has no place in its frame for an initialiser list.
inline escapement::Result<std::unique_ptr<escapement::Signals>> take_sigterm(escapement::FdBackend& backend) {
  return escapement::Signals::make(backend, {SIGTERM});
}

inline escapement::Task<> until_sigterm(escapement::FdBackend& backend) {
  std::unique_ptr<escapement::Signals> signals = co_await take_sigterm(backend);
  int number = co_await signals->next();
  (void)number;
}

// Runs `task` until it ends or SIGTERM arrives; the exit code of the program.
inline int run_until_sigterm(escapement::Loop& loop, escapement::Task<> task) {
  escapement::Result<> outcome = loop.run(escapement::race(std::move(task), until_sigterm(loop.backend())));
  if (outcome) return 0;
  std::fprintf(stderr, "bench: %s\n", to_string(outcome.error()).c_str());
  return 1;
}

}  // namespace bench
