#include "tools/timers/measure.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <thread>
#include <tuple>

#include <escapement/core/random.h>
#include <escapement/io/native/detail/system.h>
#include <escapement/io/native/posix.h>

namespace escapement::lateness {

namespace {

constexpr int rounds = 3;
constexpr int lanes_max = 8;  // of one contender

// Threads that only compute, until this is destroyed.
class Load {
 public:
  // Delegates, so that the destructor ends the threads already started if one cannot start.
  explicit Load(int threads) : Load() {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
      });
    }
    // Gives the scheduler time to recognise them as busy threads.
    if (threads > 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ~Load() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Load(const Load&) = delete;

 private:
  Load() = default;

  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

Duration cpu_of_this_thread() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return Duration(std::chrono::seconds(time.tv_sec)) + Duration::nanoseconds(time.tv_nsec);
}

void sleep_until(Instant at) {
  const timespec until = posix::to_timespec(at - Instant());
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

struct Samples {
  std::vector<Duration> late;
  Duration cpu;
};

// The times at which the lanes of one target begin.
struct Timetable {
  int lanes;  // of each contender
  Duration gap;
  Duration period;
};

Timetable timetable(Duration target, int contenders) {
  constexpr Duration sequential_max = 2ms;
  constexpr Duration gap_min = 1500us;
  if (target <= sequential_max) {
    const Duration gap = target + Duration(300us);
    return {1, gap, gap * contenders};
  }
  const int lanes = static_cast<int>(std::clamp<std::int64_t>(target / (gap_min * contenders), 1, lanes_max));
  // A whole number of gaps and a half: sleeps end midway between two starts.
  const std::int64_t gaps =
      std::max<std::int64_t>(1, target / std::max(gap_min, target / (lanes * contenders)));
  const Duration gap = target * 2 / (2 * gaps + 1);
  return {lanes, gap, std::max(gap * (lanes * contenders), target + gap)};
}

// Runs one thread with one loop: `count` sleeps, each starting at its place in the timetable.
void run_lane(const Contender& contender, Duration target, int count, Instant first, const Timetable& table,
              Duration slack, std::uint64_t seed, Samples& samples) {
  if (slack > Duration()) posix::set_timer_slack(slack);
  Random random(seed);
  const std::unique_ptr<Sleeper> sleeper = contender.make();
  samples.late.reserve(static_cast<std::size_t>(count));
  Instant next = first;
  // The first sleep sets up state that the later ones reuse, and is not recorded.
  for (int i = -1; i < count; ++i) {
    while (next <= posix::monotonic_now()) next = next + table.period;
    const std::uint64_t jitter = random.up_to(static_cast<std::uint64_t>(table.gap.count() / 8));
    sleep_until(next + Duration::nanoseconds(static_cast<std::int64_t>(jitter)));
    const Duration before = cpu_of_this_thread();
    const Duration late = sleeper->sleep(target);
    if (i < 0) continue;
    samples.late.push_back(late);
    samples.cpu += cpu_of_this_thread() - before;
  }
}

// Runs all contenders at one target; adds `count` samples to each.
void run_block(const std::vector<Contender>& contenders, Duration target, int count, Duration slack,
               std::uint64_t seed, std::vector<Samples*>& samples) {
  const Timetable table = timetable(target, static_cast<int>(contenders.size()));
  const int each = (count + table.lanes - 1) / table.lanes;
  const Instant first = posix::monotonic_now() + Duration(20ms);
  std::vector<Samples> of_lane(contenders.size() * static_cast<std::size_t>(table.lanes));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < of_lane.size(); ++i) {
    const Instant begin = first + table.gap * static_cast<std::int64_t>(i);
    threads.emplace_back(run_lane, std::cref(contenders[i % contenders.size()]), target, each, begin,
                         std::cref(table), slack, seed + i, std::ref(of_lane[i]));
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < of_lane.size(); ++i) {
    Samples& into = *samples[i % contenders.size()];
    into.late.insert(into.late.end(), of_lane[i].late.begin(), of_lane[i].late.end());
    into.cpu += of_lane[i].cpu;
  }
}

std::string where_text(int load) {
  if (load == 0) return "idle";
  return "beside " + std::to_string(load) + (load == 1 ? " busy thread" : " busy threads");
}

Duration to_duration(double milliseconds) { return std::chrono::duration<double, std::milli>(milliseconds); }

// Gives long targets more of the time, because they yield few samples.
double weight(double target_ms) { return target_ms >= 500 ? 3 : 1; }

// Returns how many samples fit into this block's share of the time.
int count_for(const Settings& settings, double target_ms, std::size_t contenders) {
  if (settings.count > 0) return (settings.count + rounds - 1) / rounds;
  double weights = 0;
  for (double each : settings.targets_ms) weights += weight(each);
  const double share = weight(target_ms) / weights / static_cast<double>(settings.loads.size() * rounds);
  const Timetable table = timetable(to_duration(target_ms), static_cast<int>(contenders));
  const double periods = settings.seconds * share / table.period.seconds() - 1;
  return std::max(1, static_cast<int>(periods * table.lanes));
}

// Raises the limit on descriptors: hundreds of loops need a few each.
void allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

using Key = std::tuple<int, double, std::size_t>;  // load, target, contender

void measure_alone(const std::vector<Contender>& contenders, const Settings& settings,
                   std::map<Key, Samples>& all) {
  const double steps = static_cast<double>(rounds * settings.loads.size() * settings.targets_ms.size());
  double step = 0;
  for (int round = 0; round < rounds; ++round) {
    for (int load : settings.loads) {
      const Load busy(load);
      for (double target_ms : settings.targets_ms) {
        std::vector<Samples*> samples;
        for (std::size_t i = 0; i < contenders.size(); ++i) samples.push_back(&all[{load, target_ms, i}]);
        const Duration target = to_duration(target_ms);
        run_block(contenders, target, count_for(settings, target_ms, contenders.size()), settings.timer_slack,
                  static_cast<std::uint64_t>(step) * 1000, samples);
        settings.progress(++step / steps);
      }
    }
  }
}

void measure_many(const std::vector<Contender>& contenders, const Settings& settings,
                  std::map<Key, Samples>& all) {
  const double steps =
      static_cast<double>(contenders.size() * settings.loads.size() * settings.targets_ms.size());
  double step = 0;
  for (int load : settings.loads) {
    const Load busy(load);
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      std::thread([&] {
        if (settings.timer_slack > Duration()) posix::set_timer_slack(settings.timer_slack);
        const std::unique_ptr<Sleeper> sleeper = contenders[i].make();
        for (double target_ms : settings.targets_ms) {
          Samples& samples = all[{load, target_ms, i}];
          const Duration before = cpu_of_this_thread();
          sleeper->many(to_duration(target_ms), settings.count, settings.at_once, samples.late);
          samples.cpu = cpu_of_this_thread() - before;
          settings.progress(++step / steps);
        }
      }).join();
    }
  }
}

}  // namespace

std::vector<Row> measure(const std::vector<Contender>& contenders, const Settings& settings) {
  allow_many_descriptors();
  std::map<Key, Samples> all;
  if (settings.at_once > 1) {
    measure_many(contenders, settings, all);
  } else {
    measure_alone(contenders, settings, all);
  }
  std::vector<Row> rows;
  for (auto& [key, samples] : all) {
    const auto& [load, target_ms, index] = key;
    if (samples.late.empty()) continue;
    rows.push_back({where_text(load), contenders[index].name, contenders[index].kind, target_ms,
                    summarize(samples.late, samples.cpu)});
  }
  return rows;
}

}  // namespace escapement::lateness
