// libuv: uv_timer, whole milliseconds.

#include <uv.h>

#include <escapement/io/native/posix.h>

#include "tools/timers/contender.h"

namespace escapement::lateness {

namespace {

class Libuv final : public Sleeper {
 public:
  Libuv() {
    uv_loop_init(&loop_);
    uv_timer_init(&loop_, &timer_);
    timer_.data = this;
  }
  ~Libuv() override {
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }

  Duration sleep(Duration length) override {
    const Instant deadline = posix::monotonic_now() + length;
    uv_update_time(&loop_);  // as fresh as in a callback of a running loop
    const std::uint64_t milliseconds = static_cast<std::uint64_t>((length.count() + 999'999) / 1'000'000);
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { static_cast<Libuv*>(timer->data)->fired(); }, milliseconds, 0);
    uv_run(&loop_, UV_RUN_DEFAULT);
    return at_ - deadline;
  }

 private:
  void fired() { at_ = posix::monotonic_now(); }

  uv_loop_t loop_;
  uv_timer_t timer_;
  Instant at_;
};

}  // namespace

void add_libuv(std::vector<Contender>& contenders) {
  contenders.push_back({"libuv", std::string("uv_timer, libuv ") + uv_version_string(), Kind::peer,
                        [] { return std::make_unique<Libuv>(); }});
}

}  // namespace escapement::lateness
