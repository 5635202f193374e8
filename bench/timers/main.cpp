// bench_timers_run: checks that the contenders agree, then times them in turn, and prints every sample as a
// line of JSON. tools/bench_timers builds and runs it and makes tables of what it prints.

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <bit>
#include <cstdio>
#include <random>

#include "contender.h"

namespace bench {

#define CONTENDER(name) Contender contender_##name();
#include "contenders.inc"
#undef CONTENDER

Workload::Workload(std::uint32_t timers, std::uint64_t seed, bool brief)
    : size(timers), delays(std::bit_ceil(std::max(timers, 65536U))), order(timers), brief(brief) {
  std::mt19937_64 random(seed);
  for (Ns& delay : delays)
    delay = static_cast<Ns>(millisecond + random() % static_cast<std::uint64_t>(60 * second - millisecond));
  for (std::uint32_t id = 0; id < timers; ++id) order[id] = id;
  std::shuffle(order.begin(), order.end(), random);
  other = order;
  std::shuffle(other.begin(), other.end(), random);
}

int Workload::repetitions(double operations) const {
  return brief ? 1 : std::max(1, static_cast<int>(200'000 / operations));
}

namespace {

const std::vector<std::string> all_tasks = {"schedule", "http",  "rearm", "expire", "jump",
                                            "far",      "retry", "worst", "bytes"};
// Tasks that are the same for every N.
const std::string task_without_size = "far";

struct Settings {
  std::vector<std::string> contenders;
  std::vector<std::string> tasks;
  std::vector<std::uint32_t> sizes{100};
  int rounds = 1;
  std::uint64_t seed = 1;
  int core = -1;
  bool smoke = false;
  bool timed_only = false;
};

std::vector<Contender> chosen(const Settings& settings) {
  std::vector<Contender> contenders;
#define CONTENDER(name)                                                          \
  if (settings.contenders.empty() ||                                             \
      std::count(settings.contenders.begin(), settings.contenders.end(), #name)) \
    contenders.push_back(contender_##name());
#include "contenders.inc"
#undef CONTENDER
  return contenders;
}

void print_skipped() {
#define SKIPPED(name, package) std::fprintf(stderr, "skipped %s: %s is not installed\n", #name, package);
#include "skipped.inc"
#undef SKIPPED
}

// The other cores' work stays on the other cores.
void pin(int core) {
  if (core < 0) core = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - 1;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) std::fprintf(stderr, "not pinned to core %d\n", core);
}

bool all_agree(const std::vector<Contender>& contenders, std::uint64_t seed) {
  bool agreed = true;
  for (const Contender& contender : contenders) {
    if (contender.is_floor) continue;
    for (std::uint64_t i = 0; i < 3 && agreed; ++i) {
      const std::string differs = contender.agree(seed + i);
      if (differs.empty()) continue;
      std::fprintf(stderr, "%s does not agree with the sorted vector, seed %llu: %s\n",
                   contender.name.c_str(), static_cast<unsigned long long>(seed + i), differs.c_str());
      agreed = false;
    }
    if (agreed)
      std::printf("{\"contender\": \"%s\", \"version\": \"%s\", \"order\": \"%s\"}\n", contender.name.c_str(),
                  contender.version.c_str(), contender.order.c_str());
  }
  return agreed;
}

// Every contender once a round, each round beginning with another one.
void run_task(const std::vector<Contender>& contenders, const std::string& task, const Workload& load,
              int rounds) {
  std::vector<Steps> steps(contenders.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const std::size_t which = (i + static_cast<std::size_t>(round)) % contenders.size();
      const Contender& contender = contenders[which];
      const auto found = contender.tasks.find(task);
      if (found == contender.tasks.end()) continue;
      for (const auto& [metric, value] : found->second(load, steps[which]))
        std::printf(
            "{\"metric\": \"%s\", \"size\": %u, \"contender\": \"%s\", \"round\": %d, \"value\": %.4f}\n",
            metric.c_str(), load.size, contender.name.c_str(), round, value);
      std::fflush(stdout);
    }
  }
}

void run(const Settings& settings, const std::vector<Contender>& contenders) {
  for (std::size_t i = 0; i < settings.sizes.size(); ++i) {
    const Workload load(settings.sizes[i], settings.seed, settings.smoke);
    for (const std::string& task : settings.tasks)
      if (i == 0 || task != task_without_size) run_task(contenders, task, load, settings.rounds);
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"peak_kib\": %ld}\n", usage.ru_maxrss);
}

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Times timer structures; tools/bench_timers is the front. One line of JSON a sample."};
  app.add_option("--contender", settings.contenders,
                 "only these: the names of the files, as escapement, libev")
      ->delimiter(',');
  app.add_option("--task", settings.tasks,
                 "only these (all of them): schedule, http, rearm, expire, jump, far, ...")
      ->delimiter(',')
      ->check(CLI::IsMember(all_tasks));
  app.add_option("--size", settings.sizes, "how many timers are live (100)")
      ->delimiter(',')
      ->check(CLI::Range(1, 100'000'000));
  app.add_option("--rounds", settings.rounds, "how often each contender gets its turn (1)");
  app.add_option("--seed", settings.seed, "of the random schedules (1)");
  app.add_option("--core", settings.core, "the core to run on (the last one)");
  app.add_flag("--smoke", settings.smoke, "every task once, briefly, only to see that all agree and run");
  app.add_flag("--timed-only", settings.timed_only, "do not check that all agree: for instruction counts");
  CLI11_PARSE(app, argc, argv);
  if (settings.tasks.empty()) settings.tasks = all_tasks;

  const std::vector<Contender> contenders = chosen(settings);
  if (contenders.empty()) {
    std::fprintf(stderr, "bench_timers_run: no such contender is built\n");
    return 2;
  }
  print_skipped();
  pin(settings.core);
  if (!settings.timed_only && !all_agree(contenders, settings.seed)) return 1;
  run(settings, contenders);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::main(argc, argv); }
