#include "app.h"

#include <escapement/timers/interval.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

Task<int> tick(int rounds, std::function<Task<>()> work) {
  Interval interval(1s);
  int cancelled = 0;
  for (int round = 0; round < rounds; ++round) {
    co_await interval.next();
    Result<> outcome = co_await with_timeout(300ms, work()).result();
    if (!outcome && outcome.error() == Errc::timed_out) ++cancelled;
  }
  co_return cancelled;
}
