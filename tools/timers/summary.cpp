#include "tools/timers/summary.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace escapement::lateness {

int Buckets::index(double microseconds) {
  if (microseconds <= least_us) return 0;
  const int found = static_cast<int>(std::log10(microseconds / least_us) * per_decade);
  return std::clamp(found, 0, count - 1);
}

double Buckets::begin(int index) {
  return least_us * std::pow(10.0, static_cast<double>(index) / per_decade);
}

Summary summarize(std::vector<Duration>& late, Duration cpu) {
  Summary summary;
  if (late.empty()) return summary;
  std::sort(late.begin(), late.end());
  const auto microseconds = [](Duration length) { return static_cast<double>(length.count()) / 1000; };
  // The smallest sample that at least the fraction `q` of all samples does not exceed.
  const double n = static_cast<double>(late.size());
  const auto ranked = [&](double rank) {
    return microseconds(late[static_cast<std::size_t>(std::clamp(std::ceil(rank), 1.0, n)) - 1]);
  };
  const auto quantile = [&](double q) { return ranked(q * n); };
  // The number of samples below a quantile is binomially distributed, whatever the distribution of the
  // samples.
  const auto between = [&](double q) {
    const double spread = 3 * std::sqrt(n * q * (1 - q));
    return std::array<double, 2>{ranked(q * n - spread), ranked(q * n + spread + 1)};
  };
  summary.count = static_cast<long>(late.size());
  summary.min = microseconds(late.front());
  summary.p50 = quantile(0.5);
  summary.p90 = quantile(0.9);
  summary.p99 = quantile(0.99);
  summary.p999 = quantile(0.999);
  summary.max = microseconds(late.back());
  summary.p50_between = between(0.5);
  summary.p99_between = between(0.99);
  if (cpu >= Duration()) summary.cpu = microseconds(cpu) / static_cast<double>(late.size());
  for (Duration sample : late) {
    if (sample < Duration()) {
      ++summary.early;
    } else {
      ++summary.buckets.counts[static_cast<std::size_t>(Buckets::index(microseconds(sample)))];
    }
  }
  return summary;
}

std::vector<Group> grouped(const std::vector<Row>& rows) {
  std::vector<Group> groups;
  for (const Row& row : rows) {
    const auto same = [&](const Group& g) { return g.where == row.where && g.target_ms == row.target_ms; };
    auto at = std::find_if(groups.begin(), groups.end(), same);
    if (at == groups.end()) at = groups.insert(groups.end(), Group{row.where, row.target_ms, {}});
    at->rows.push_back(&row);
  }
  return groups;
}

const char* name(Kind kind) {
  switch (kind) {
    case Kind::ours: return "ours";
    case Kind::floor: return "floor";
    default: return "peer";
  }
}

std::string target_text(double milliseconds) {
  char text[32];
  const bool seconds = milliseconds >= 1000;
  std::snprintf(text, sizeof text, "%g %s", seconds ? milliseconds / 1000 : milliseconds,
                seconds ? "s" : "ms");
  return text;
}

std::string microseconds_text(double microseconds) {
  char text[32];
  const double size = std::fabs(microseconds);
  if (size >= 9999.5) {
    std::snprintf(text, sizeof text, "%.0f ms", microseconds / 1000);
  } else {
    std::snprintf(text, sizeof text, size < 99.95 ? "%.1f" : "%.0f", microseconds);
  }
  return text;
}

}  // namespace escapement::lateness
