#include "tools/timers/text.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>

namespace escapement::lateness {

namespace {

constexpr int name_width = 20;

template <class... Values>
std::string printed(const char* format, Values... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

std::string table_line(const Row& row) {
  const Summary& s = row.summary;
  const std::string cpu = s.cpu < 0 ? "-" : microseconds_text(s.cpu);
  return printed(
      "  %-*s%7s%7s%7s%7s%7s%8ld%7ld%7s\n", name_width - 2, row.contender.substr(0, name_width - 3).c_str(),
      microseconds_text(s.p50).c_str(), microseconds_text(s.p90).c_str(), microseconds_text(s.p99).c_str(),
      microseconds_text(s.p999).c_str(), microseconds_text(s.max).c_str(), s.count, s.early, cpu.c_str());
}

// Twelve columns a decade would not fit: each column is one bucket from 1 us to 100 ms.
constexpr int first_bucket = Buckets::per_decade;
constexpr int columns = Buckets::count - first_bucket;

// Returns the height of a bucket relative to the row's highest; blank only if there is no sample.
const char* bar(long count, long highest) {
  static const char* const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (count == 0) return blocks[0];
  const double share = std::sqrt(static_cast<double>(count) / static_cast<double>(highest));
  return blocks[std::clamp(static_cast<int>(std::lround(share * 8)), 1, 8)];
}

std::string histogram_line(const Row& row) {
  std::array<long, columns> counts{};
  for (int i = 0; i < Buckets::count; ++i) {
    counts[static_cast<std::size_t>(std::max(0, i - first_bucket))] +=
        row.summary.buckets.counts[static_cast<std::size_t>(i)];
  }
  const long highest = std::max(1L, *std::max_element(counts.begin(), counts.end()));
  std::string line = printed("  %-*s", name_width - 2, row.contender.substr(0, name_width - 3).c_str());
  line += row.summary.early > 0 ? "◀" : "│";
  for (long count : counts) line += bar(count, highest);
  line += "│";
  if (row.summary.early > 0)
    line += printed(" %.2g%% early",
                    100.0 * static_cast<double>(row.summary.early) / static_cast<double>(row.summary.count));
  return line + "\n";
}

}  // namespace

std::string table_text(const std::vector<Row>& rows) {
  std::string text;
  for (const Group& group : grouped(rows)) {
    text += printed("\n%s, %s; lateness in us\n", target_text(group.target_ms).c_str(), group.where.c_str());
    text += printed("  %-*s%7s%7s%7s%7s%7s%8s%7s%7s\n", name_width - 2, "", "p50", "p90", "p99", "p99.9",
                    "max", "timers", "early", "cpu");
    for (const Row* row : group.rows) text += table_line(*row);
  }
  return text;
}

std::string histogram_text(const std::vector<Row>& rows) {
  std::string text;
  for (const Group& group : grouped(rows)) {
    text += printed("\n%s, %s: how late, on a logarithmic scale\n", target_text(group.target_ms).c_str(),
                    group.where.c_str());
    for (const Row* row : group.rows) text += histogram_line(*row);
    text += printed("  %-*s└", name_width - 2, "");
    for (int decade = 0; decade < columns / Buckets::per_decade; ++decade) text += "─────────┴";
    text += printed("\n  %-*s1us       10us      100us     1ms       10ms     100ms\n", name_width - 2, "");
  }
  return text;
}

std::string machine_text() {
  std::string model = "unknown CPU";
  bool is_virtual = false;
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);) {
    if (line.starts_with("model name")) model = line.substr(line.find(':') + 2);
    if (line.starts_with("flags")) is_virtual = line.find(" hypervisor") != line.npos;
  }
  utsname system{};
  ::uname(&system);
  std::string release = system.release;
  release = release.substr(0, release.find_first_of('.', release.find('.') + 1));
  return std::to_string(std::thread::hardware_concurrency()) + " " + system.machine + " CPUs (" + model +
         (is_virtual ? ", virtual" : "") + "), " + system.sysname + " " + release;
}

}  // namespace escapement::lateness
