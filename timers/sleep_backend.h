// SleepBackend: a backend without sockets, for programs that need timers and nothing else.
//
//     SleepBackend backend;
//     TimerWheel wheel;
//     Reactor reactor(backend, wheel);
//     reactor.run([]() -> Task<> { co_await sleep(10ms); });
//
// It needs the standard library alone, so the components core and timers build wherever a C++20 compiler with
// threads does. Between deadlines it sleeps on a condition variable; `Reactor::post`, `Reactor::wake` and a
// Remote of other threads end the sleep. Nothing but these and timers can bring work: a task that waits for
// anything else makes `run` sleep until another thread posts. Programs with sockets or signals use `Loop`
// (io/native/loop.h), whose timers are also more precise.

#pragma once

#include <condition_variable>
#include <mutex>

#include <escapement/core/reactor.h>

namespace escapement {

class SleepBackend final : public Backend {
 public:
  Instant now() override;
  SystemTime system_now() override;
  std::uint64_t entropy() override;
  bool wait(Reactor& reactor, Instant until) override;
  void wake() noexcept override;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

}  // namespace escapement
