// @NAME@: three rounds, a second apart; the last one is too slow.

#include <cstdio>

#include <escapement/timers/sleep.h>
#include <escapement/timers/sleep_backend.h>
#include <escapement/timers/wheel.h>

#include "app.h"

using namespace escapement;

int main() {
  SleepBackend backend;  // with sockets or signals: Loop (escapement/io/native/loop.h)
  TimerWheel wheel;
  Reactor reactor(backend, wheel);
  int round = 0;
  const Result<int> cancelled = reactor.run(tick(3, [&round]() -> Task<> {
    std::printf("round %d\n", ++round);
    co_await sleep(round == 3 ? Duration(1h) : Duration(10ms));
  }));
  if (!cancelled) return 1;
  std::printf("%d cancelled\n", *cancelled);
}
