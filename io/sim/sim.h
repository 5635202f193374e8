// Sim: a whole simulated world in one object: a clock that jumps, a network, and a reactor in them.
//
//     TEST_CASE("a sleep takes as long as it says") {
//       Sim sim(Seed{1});
//       Result<> slept = sim.run(nap());
//       CHECK(sim.elapsed() == 250ms);
//     }
//
// The code under test is the same as in production; only the backend and the network differ. Everything
// random follows from the seed, including Reactor::random().

#pragma once

#include <utility>

#include <escapement/core/reactor.h>
#include <escapement/core/task.h>
#include <escapement/io/sim/backend.h>
#include <escapement/io/sim/network.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/timers/wheel.h>

namespace escapement {

class Sim {
 public:
  // Makes a world in which everything random follows from `seed`.
  explicit Sim(Seed seed = Seed(), SimNetworkOptions options = SimNetworkOptions(),
               SimClock clock = SimClock());

  // Runs `task` to its end; time passes as far as that takes. Fails with Errc::internal if it stalls:
  // everything waits and nothing is scheduled.
  template <class T>
  Result<T> run(Task<T> task) {
    return reactor_.run(std::move(task));
  }
  template <Operation O>
  auto run(O operation) {
    return reactor_.run(detail::as_task(std::move(operation)));
  }

  // Lets `length` pass while spawned tasks run, each at its own instant. On return exactly that much has
  // passed, and nothing is left to do at that instant. Must not be called from inside a task. A task that
  // never stops being ready would make this endless: that is checked, after a million turns at one instant.
  void advance(Duration length);
  // Runs everything that is due now, without time passing.
  void settle() { advance(Duration()); }

  // Returns the time simulated since the start.
  Duration elapsed() const { return backend_.elapsed(); }

  // Returns the seed that it was made with.
  Seed seed() const { return seed_; }
  // Returns the simulated clock.
  SimBackend& backend() { return backend_; }
  // Returns the timer wheel.
  TimerWheel& timers() { return timers_; }
  // Returns the reactor that runs in this world.
  Reactor& reactor() { return reactor_; }
  // Returns the simulated network.
  SimNetwork& network() { return network_; }

 private:
  void run_until_idle();

  Seed seed_;
  SimBackend backend_;
  TimerWheel timers_;
  Reactor reactor_;
  SimNetwork network_;
};

}  // namespace escapement
