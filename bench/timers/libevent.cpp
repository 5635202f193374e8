// libevent: a binary heap of pointers to events; microseconds.

#include <event2/event.h>
#include <event2/event_struct.h>

#include "tasks.h"

namespace bench {
namespace {

class Libevent {
 public:
  static std::string version() { return event_get_version(); }
  static constexpr bool is_floor = false;
  static constexpr Ns resolution = microsecond;
  static constexpr bool ties_in_order = false;
  static constexpr bool has_next = false;  // not public
  static constexpr int fresh_slots = 1;
  static constexpr std::size_t handle_bytes = sizeof(event);

  struct Timer {
    Timer(Libevent& queue, std::uint32_t id) : id(id) {
      evtimer_assign(&handle, queue.base_, on_timer, this);
    }
    event handle;
    std::uint32_t id;
  };

  Libevent() {
    event_config* config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_avoid_method(config, "poll");
    event_config_avoid_method(config, "select");
    base_ = event_base_new_with_config(config);
    event_config_free(config);
  }
  Libevent(const Libevent&) = delete;
  Libevent& operator=(const Libevent&) = delete;
  ~Libevent() { event_base_free(base_); }

  void arm(Timer& timer, Ns deadline) {
    // A clock that is at a whole microsecond, and a deadline rounded up to one.
    const Ns microseconds = (deadline - virtual_time + microsecond - 1) / microsecond;
    const timeval after = {microseconds / 1'000'000, microseconds % 1'000'000};
    evtimer_add(&timer.handle, &after);
  }
  void rearm(Timer& timer, Ns deadline) { arm(timer, deadline); }
  void cancel(Timer& timer) { evtimer_del(&timer.handle); }
  void drop(Timer& timer) { evtimer_del(&timer.handle); }
  void settle() {}

  bool step(Ns now, Fired& fired) {
    virtual_time = now;
    fired_ = &fired;
    event_base_loop(base_, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    return false;
  }

 private:
  static void on_timer(evutil_socket_t, short, void* timer) { fired_->push(static_cast<Timer*>(timer)->id); }

  static inline Fired* fired_ = nullptr;
  event_base* base_;
};

}  // namespace

Contender contender_libevent() { return describe<Libevent>("libevent"); }

}  // namespace bench
