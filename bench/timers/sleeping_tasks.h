// The bytes that a sleeping task takes, all included: its frame, its place in the scope, its timer, and
// malloc's share. For sleeping_tasks.cpp and wasm_bench.cpp.

#pragma once

#include <malloc.h>

#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/wheel.h>

namespace bench {

// A clock that stands still, and no events.
class NoBackend final : public escapement::Backend {
 public:
  escapement::Instant now() override { return escapement::Instant::from_nanoseconds(1'000'000); }
  escapement::SystemTime system_now() override { return {}; }
  std::uint64_t entropy() override { return 1; }
  bool wait(escapement::Reactor&, escapement::Instant) override { return true; }
  void wake() noexcept override {}
};

inline escapement::Task<> sleep_for_an_hour() { co_await escapement::sleep(std::chrono::hours(1)); }

// Calls `spawn(scope)` `count` times, runs the tasks until they all sleep, and returns the bytes that one of
// them takes. `bytes_allocated` says how much is allocated.
template <class Spawn, class Allocated>
double bytes_of_a_task(int count, Spawn spawn, Allocated bytes_allocated) {
  NoBackend backend;
  escapement::TimerWheel wheel(backend.now());
  escapement::Reactor reactor(backend, wheel);
  escapement::Scope scope(reactor, nullptr);
  const double before = bytes_allocated();
  for (int i = 0; i < count; ++i) spawn(scope);
  while (reactor.step() <= reactor.now()) {
  }
  return (bytes_allocated() - before) / count;
}

struct SpawnFunction {
  void operator()(escapement::Scope& scope) const { scope.spawn(sleep_for_an_hour()); }
};
struct SpawnLambda {
  void operator()(escapement::Scope& scope) const {
    scope.spawn([]() -> escapement::Task<> { co_await escapement::sleep(std::chrono::hours(1)); });
  }
};

}  // namespace bench
