// HostBackend: a Backend for a loop that the host owns, as a JS engine does. Waiting returns at once; the
// host calls Reactor::step when something happened and at the instant that the last step returned.

#pragma once

#include <cstdint>

#include <escapement/core/reactor.h>

namespace escapement {

// The host's clock and randomness. Implemented on the ABI's imports (wasm_glue/runtime.cpp) and by tests.
class Host {
 public:
  // Milliseconds from any fixed point. It may stand still for a while; steps back are ignored.
  virtual double now() = 0;
  // Milliseconds since 1970.
  virtual double wall() = 0;
  // A random number in [0, 1).
  virtual double random() = 0;

 protected:
  ~Host() = default;
};

class HostBackend final : public Backend {
 public:
  // `host` must outlive it.
  explicit HostBackend(Host& host) : host_(host) {}

  // Sets the time that the next call of now() returns, without asking the host again.
  Instant at(double now);

  // The host's clock, never going back. Fractions of a nanosecond are cut off, so a deadline is not reached
  // before the host says so.
  Instant now() override;
  SystemTime system_now() override;
  std::uint64_t entropy() override;
  // Collects nothing: the host has already reported its events through exports.
  bool wait(Reactor&, Instant) override { return true; }
  void wake() noexcept override {}

 private:
  Host& host_;
  Instant latest_;
  bool told_ = false;  // the host has set what now() returns next
};

// Returns in how many milliseconds `deadline` has come, for the host's timer: at most 2^31 - 1 (setTimeout's
// maximum; the host comes back earlier and asks again), -1 for never. The host rounds up what its timers
// cannot do exactly. A timer that fires early does no harm: the step finds nothing due and asks for the rest.
double host_delay(Instant now, Instant deadline);

}  // namespace escapement
