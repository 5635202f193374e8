// libev: ev_timer.

#include <ev.h>

#include <escapement/io/native/posix.h>

#include "tools/timers/contender.h"

namespace escapement::lateness {

namespace {

class Libev final : public Sleeper {
 public:
  Libev() : loop_(ev_loop_new(EVFLAG_AUTO)) {
    timer_.data = this;
    ev_init(&timer_, &Libev::fired);
  }
  ~Libev() override { ev_loop_destroy(loop_); }

  Duration sleep(Duration length) override {
    const Instant deadline = posix::monotonic_now() + length;
    ev_now_update(loop_);  // as fresh as in a callback of a running loop
    ev_timer_set(&timer_, length.seconds(), 0);
    ev_timer_start(loop_, &timer_);
    ev_run(loop_, 0);
    return at_ - deadline;
  }

 private:
  static void fired(struct ev_loop*, ev_timer* timer, int) {
    static_cast<Libev*>(timer->data)->at_ = posix::monotonic_now();
  }

  struct ev_loop* loop_;
  ev_timer timer_{};
  Instant at_;
};

}  // namespace

void add_libev(std::vector<Contender>& contenders) {
  const std::string version = std::to_string(ev_version_major()) + '.' + std::to_string(ev_version_minor());
  contenders.push_back(
      {"libev", "ev_timer, libev " + version, Kind::peer, [] { return std::make_unique<Libev>(); }});
}

}  // namespace escapement::lateness
