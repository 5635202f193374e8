// libevent: evtimer, with its default clock and with EVENT_BASE_FLAG_PRECISE_TIMER.

#include <event2/event.h>
#include <sys/time.h>

#include <escapement/io/native/posix.h>

#include "tools/timers/contender.h"

namespace escapement::lateness {

namespace {

class Libevent final : public Sleeper {
 public:
  explicit Libevent(int flags) {
    event_config* config = event_config_new();
    event_config_set_flag(config, flags);
    base_ = event_base_new_with_config(config);
    event_config_free(config);
    timer_ = evtimer_new(
        base_, [](evutil_socket_t, short, void* self) { static_cast<Libevent*>(self)->fired(); }, this);
  }
  ~Libevent() override {
    event_free(timer_);
    event_base_free(base_);
  }

  Duration sleep(Duration length) override {
    const Instant deadline = posix::monotonic_now() + length;
    timeval delay{};
    delay.tv_sec = length.count() / 1'000'000'000;
    delay.tv_usec = (length.count() % 1'000'000'000 + 999) / 1000;
    evtimer_add(timer_, &delay);
    event_base_dispatch(base_);
    return at_ - deadline;
  }

 private:
  void fired() { at_ = posix::monotonic_now(); }

  event_base* base_ = nullptr;
  event* timer_ = nullptr;
  Instant at_;
};

}  // namespace

void add_libevent(std::vector<Contender>& contenders) {
  const std::string version = std::string("libevent ") + event_get_version();
  contenders.push_back({"libevent", "evtimer, default clock, " + version, Kind::peer,
                        [] { return std::make_unique<Libevent>(0); }});
  contenders.push_back({"libevent, precise", "evtimer, EVENT_BASE_FLAG_PRECISE_TIMER, " + version, Kind::peer,
                        [] { return std::make_unique<Libevent>(EVENT_BASE_FLAG_PRECISE_TIMER); }});
}

}  // namespace escapement::lateness
