// The queues that a turn of the reactor runs, for reactor.cpp and watched_turn.cpp.

#pragma once

#include <escapement/core/reactor.h>

namespace escapement {

template <class Run>
inline int Reactor::run_batch(List<Runnable>& batch, Instant end, detail::Looks& looks, Run& run) {
  for (int count = 0; count < budget; ++count) {
    Runnable* first = batch.pop_front();
    if (first == nullptr) return count;
    run(*first);
    while (Runnable* next = next_.pop_front()) run(*next);
    if (looks_over(looks, end)) return count + 1;
  }
  return budget;
}

template <class Run>
inline int Reactor::run_batches(Run run) {
  batch_.splice_back(ready_);
  yielded_batch_.splice_back(yielded_);
  while (Runnable* next = next_.pop_front()) run(*next);
  run_batch(batch_, now_ + share, looks_, run);
  const int timers = run_batch(due_, now_ + share * 2, looks_, run);
  run_batch(yielded_batch_, now_ + share * 3, yielded_looks_, run);
  return timers;
}

}  // namespace escapement
