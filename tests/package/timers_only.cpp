// A user of the component timers alone: no sockets, no third library.
#include <cstdio>

#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/sleep_backend.h>
#include <escapement/timers/timeout.h>
#include <escapement/timers/wheel.h>

using namespace escapement;

int main() {
  SleepBackend backend;
  TimerWheel wheel;
  Reactor reactor(backend, wheel);
  const Result<> outcome = reactor.run([&]() -> Task<> {
    co_await sleep(1ms);
    co_await with_timeout(2ms, sleep(1h));
  });
  if (outcome || outcome.error().code() != Errc::timed_out) return 1;
  std::puts(to_string(outcome.error()).c_str());
  return 0;
}
