// libuv: a pairing of binary heap and handles. Millisecond timeouts, counted from the loop's time. A handle
// must be closed, and its memory belongs to the loop until its closing callback, one turn later.

#include <uv.h>

#include "tasks.h"

namespace bench {
namespace {

class Libuv {
 public:
  static std::string version() { return uv_version_string(); }
  static constexpr bool is_floor = false;
  static constexpr Ns resolution = millisecond;
  static constexpr bool ties_in_order = true;
  static constexpr bool has_next = true;
  static constexpr int fresh_slots = 1024;
  static constexpr std::size_t handle_bytes = sizeof(uv_timer_t);

  struct Timer {
    Timer(Libuv& queue, std::uint32_t id) : id(id) { uv_timer_init(&queue.loop_, &handle); }
    uv_timer_t handle;
    std::uint32_t id;
  };

  Libuv() { uv_loop_init(&loop_); }
  Libuv(const Libuv&) = delete;
  Libuv& operator=(const Libuv&) = delete;
  ~Libuv() {
    settle();
    uv_loop_close(&loop_);
  }

  void arm(Timer& timer, Ns deadline) {
    const Ns milliseconds = (deadline + millisecond - 1) / millisecond;  // never early
    uv_timer_start(&timer.handle, on_timer, milliseconds - uv_now(&loop_), 0);
  }
  void rearm(Timer& timer, Ns deadline) { arm(timer, deadline); }
  void cancel(Timer& timer) { uv_timer_stop(&timer.handle); }
  void drop(Timer& timer) { uv_close(reinterpret_cast<uv_handle_t*>(&timer.handle), nullptr); }
  Ns next() {
    const int timeout = uv_backend_timeout(&loop_);
    return timeout < 0 ? INT64_MAX : virtual_time + timeout * millisecond;
  }
  void settle() { uv_run(&loop_, UV_RUN_NOWAIT); }

  bool step(Ns now, Fired& fired) {
    virtual_time = now;
    loop_.data = &fired;
    uv_run(&loop_, UV_RUN_NOWAIT);
    return false;
  }

 private:
  static void on_timer(uv_timer_t* handle) {
    Fired& fired = *static_cast<Fired*>(handle->loop->data);
    fired.push(reinterpret_cast<Timer*>(handle)->id);
  }

  uv_loop_t loop_;
};

}  // namespace

Contender contender_libuv() { return describe<Libuv>("libuv"); }

}  // namespace bench
