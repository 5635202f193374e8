#include <escapement/io/sim/sim.h>

#include <algorithm>

#include <escapement/core/detail/check.h>

namespace escapement {

// Seeds the network with a sequence of its own: how often the program asks for entropy must not change what
// the network does.
Sim::Sim(Seed seed, SimNetworkOptions options, SimClock clock)
    : seed_(seed),
      backend_(seed, clock),
      timers_(clock.start),
      reactor_(backend_, timers_),
      network_(backend_, Seed{~seed.value}, options) {}

void Sim::advance(Duration length) {
  const Instant end = backend_.now() + std::max(length, Duration());
  for (;;) {
    run_until_idle();
    const Instant next = std::min(timers_.next(), backend_.next_event());
    if (next > end || next == Instant::never()) break;
    backend_.wait(reactor_, next);
  }
  backend_.freeze(end - backend_.now());
  run_until_idle();
}

void Sim::run_until_idle() {
  int turns_left = 1'000'000;
  for (;;) {
    const Instant again = reactor_.step();
    const bool idle = again > backend_.now() && backend_.next_event() > backend_.now();
    if (idle && !backend_.woken()) return;
    ESC_CHECK(--turns_left > 0);
  }
}

}  // namespace escapement
