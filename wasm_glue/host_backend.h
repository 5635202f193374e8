// HostBackend: a Backend for a loop owned by somebody else, as a JS engine's is. Waiting returns at once;
// the host calls Reactor::step when something happened and at the instant that the last step returned.

#pragma once

#include <cstdint>

#include <escapement/core/reactor.h>

namespace escapement {

// What the host offers. Implemented on the ABI's imports (wasm_glue/runtime.cpp) and by tests.
class Host {
 public:
  // Milliseconds from any fixed point. May stand still for a while; where it goes back, that is ignored.
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

  // The host has said that it is `now`, which the next call of now() returns without asking it again.
  Instant at(double now);

  // The host's clock, never going back. Fractions of a nanosecond are cut off, so a deadline is not reached
  // before the host says so.
  Instant now() override;
  SystemTime system_now() override;
  std::uint64_t entropy() override;
  // Collects nothing: the host has already called whoever it concerned.
  bool wait(Reactor&, Instant) override { return true; }
  void wake() noexcept override {}

 private:
  Host& host_;
  Instant latest_;
  bool told_ = false;  // by the host, what now() returns next
};

// How long the host's timer is to run, in whole milliseconds, so that `deadline` has come when it fires on
// time: rounded up, at most 2^31 - 1 (what setTimeout takes; the host comes back earlier and asks again),
// -1 for never. A timer that fires early changes nothing: the step finds nothing due and asks for the rest.
double host_delay(Instant now, Instant deadline);

}  // namespace escapement
