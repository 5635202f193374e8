#include <escapement/middleware/observe/loop_stats.h>

#include <cstdio>

namespace escapement {

void LoopStats::turn_ended(const Turn& turn) {
  ++turns_;
  timers_ += static_cast<std::uint64_t>(turn.timers);
  length_ += turn.length;
  lateness_ += turn.lateness;
  if (turn.length <= limit_) return;
  ++long_turns_;
  if (tell_) tell_(turn);
}

void LoopStats::add_to(const http::Metrics& metrics, const TimerWheel& timers) const {
  constexpr auto counter = http::MetricsSample::Kind::counter;
  metrics.add("reactor_turns_total", "Turns in which something ran.", counter,
              [this] { return static_cast<double>(turns_); });
  metrics.add("reactor_turn_seconds_total", "Time spent in turns.", counter,
              [this] { return length_.seconds(); });
  metrics.add("reactor_long_turns_total", "Turns longer than the watchdog's limit.", counter,
              [this] { return static_cast<double>(long_turns_); });
  metrics.add("timers_fired_total", "Tasks and functions run by timers.", counter,
              [this] { return static_cast<double>(timers_); });
  metrics.add("timer_lateness_seconds_total", "Total lateness of the first expired timer of each turn.",
              counter, [this] { return lateness_.seconds(); });
  metrics.add("timers_live", "Timers armed now.", http::MetricsSample::Kind::gauge,
              [&timers] { return static_cast<double>(timers.size()); });
}

std::string describe(const Turn& turn) {
  char text[120];
  std::snprintf(text, sizeof text, "a turn of %.1f ms; %d things ran, the longest %.1f ms",
                turn.length.milliseconds(), turn.resumed, turn.longest.milliseconds());
  return text;
}

}  // namespace escapement
