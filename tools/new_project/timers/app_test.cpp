// The same in simulated time: exact, and at once.

#include "app.h"

#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "expect.h"

using namespace escapement;

int main() {
  Sim sim;
  int round = 0;
  const Result<int> cancelled = sim.run(tick(3, [&round]() -> Task<> {
    ++round;
    co_await sleep(round == 2 ? Duration(1h) : Duration(10ms));
  }));
  EXPECT(cancelled && *cancelled == 1);
  EXPECT(round == 3);
  EXPECT(sim.elapsed() == 2s + 10ms);  // the third round began at two seconds sharp
  return failures == 0 ? 0 : 1;
}
