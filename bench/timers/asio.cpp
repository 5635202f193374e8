// asio: a binary heap of timers, each with a queue of waiting operations that are allocated. A cancelled wait
// completes too, in the next turn of the loop, with an error.
//
// Its clock is a template parameter, so that this one needs no trick; the io_context is told that there is
// one thread and that no lock is needed.

#include <asio.hpp>

#include <chrono>

#include "tasks.h"

namespace bench {
namespace {

struct VirtualClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<VirtualClock>;
  static constexpr bool is_steady = true;
  static time_point now() { return time_point(duration(virtual_time)); }
};

class Asio {
 public:
  static std::string version() {
    return std::to_string(ASIO_VERSION / 100000) + "." + std::to_string(ASIO_VERSION / 100 % 1000);
  }
  static constexpr bool is_floor = false;
  static constexpr Ns resolution = 1;
  static constexpr bool ties_in_order = false;
  static constexpr bool has_next = false;  // not public
  static constexpr int fresh_slots = 1;

  using AsioTimer = asio::basic_waitable_timer<VirtualClock>;
  static constexpr std::size_t handle_bytes = sizeof(AsioTimer);

  struct Timer {
    Timer(Asio& queue, std::uint32_t id) : timer(queue.context_), id(id) {}
    AsioTimer timer;
    std::uint32_t id;
  };

  void arm(Timer& timer, Ns deadline) {
    timer.timer.expires_at(VirtualClock::time_point(VirtualClock::duration(deadline)));
    timer.timer.async_wait([this, id = timer.id](const asio::error_code& error) {
      if (!error) fired_->push(id);
    });
  }
  void rearm(Timer& timer, Ns deadline) { arm(timer, deadline); }
  void cancel(Timer& timer) { timer.timer.cancel(); }
  void drop(Timer&) {}  // destroying cancels
  void settle() {
    context_.restart();
    context_.poll();
  }

  bool step(Ns now, Fired& fired) {
    virtual_time = now;
    fired_ = &fired;
    settle();
    return false;
  }

 private:
  asio::io_context context_{ASIO_CONCURRENCY_HINT_UNSAFE};
  Fired* fired_ = nullptr;
};

}  // namespace

Contender contender_asio() { return describe<Asio>("asio"); }

}  // namespace bench
