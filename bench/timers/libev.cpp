// libev: a four-ary heap with the deadlines cached in it; times are seconds in a double.

#include <ev.h>

#include "tasks.h"

namespace bench {
namespace {

class Libev {
 public:
  static std::string version() {
    return std::to_string(ev_version_major()) + "." + std::to_string(ev_version_minor());
  }
  static constexpr bool is_floor = false;
  static constexpr Ns resolution = 1;
  static constexpr bool ties_in_order = false;
  static constexpr bool has_next = false;  // not public
  static constexpr int fresh_slots = 1;
  static constexpr std::size_t handle_bytes = sizeof(ev_timer);

  struct Timer {
    Timer(Libev&, std::uint32_t id) : id(id) { ev_init(&watcher, on_timer); }
    ev_timer watcher;
    std::uint32_t id;
  };

  Libev() : loop_(ev_loop_new(unsigned{EVFLAG_NOENV} | unsigned{EVBACKEND_EPOLL})) {}
  Libev(const Libev&) = delete;
  Libev& operator=(const Libev&) = delete;
  ~Libev() { ev_loop_destroy(loop_); }

  void arm(Timer& timer, Ns deadline) {
    ev_timer_set(&timer.watcher, after(deadline), 0.);
    ev_timer_start(loop_, &timer.watcher);
  }
  // "Be smart about timeouts" in its manual: `again` moves the timer in the heap, where it stands.
  void rearm(Timer& timer, Ns deadline) {
    timer.watcher.repeat = after(deadline);
    ev_timer_again(loop_, &timer.watcher);
    timer.watcher.repeat = 0.;  // once
  }
  void cancel(Timer& timer) { ev_timer_stop(loop_, &timer.watcher); }
  void drop(Timer& timer) { ev_timer_stop(loop_, &timer.watcher); }
  void settle() {}

  bool step(Ns now, Fired& fired) {
    virtual_time = now;
    ev_set_userdata(loop_, &fired);
    ev_run(loop_, EVRUN_NOWAIT);
    return false;
  }

 private:
  // It fires what lies strictly before its time, where everybody else fires what is at it too.
  double after(Ns deadline) const { return (static_cast<double>(deadline) - 0.5) * 1e-9 - ev_now(loop_); }

  static void on_timer(struct ev_loop* loop, ev_timer* watcher, int) {
    Fired& fired = *static_cast<Fired*>(ev_userdata(loop));
    fired.push(reinterpret_cast<Timer*>(watcher)->id);
  }

  struct ev_loop* loop_;
};

}  // namespace

Contender contender_libev() { return describe<Libev>("libev"); }

}  // namespace bench
