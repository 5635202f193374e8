#include "tools/timers/bars.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace escapement::lateness {

namespace {

// The lateness allowed, as a multiple of the better of the kernel's two calls.
constexpr double of_floor_max = 1.15;
constexpr double spin_p50_max_us = 5;

// One quantile of a summary, with its confidence interval.
struct Quantile {
  const char* name;
  double Summary::* value;
  std::array<double, 2> Summary::* between;
};
constexpr Quantile quantiles[] = {{"p50", &Summary::p50, &Summary::p50_between},
                                  {"p99", &Summary::p99, &Summary::p99_between}};

const Row* find(const Group& group, const std::string& contender) {
  for (const Row* row : group.rows) {
    if (row->contender == contender) return row;
  }
  return nullptr;
}

std::string ratio_text(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", ratio);
  return text;
}

Bar never_early(const std::vector<Row>& rows) {
  long count = 0;
  long early = 0;
  for (const Row& row : rows) {
    if (row.kind != Kind::ours) continue;
    count += row.summary.count;
    early += row.summary.early;
  }
  return {"no timer of ours fires early", early == 0 ? Verdict::held : Verdict::missed,
          std::to_string(early) + " of " + std::to_string(count) + " were"};
}

// A bar that checks each target under one condition, and names the targets that miss it.
class PerTarget {
 public:
  explicit PerTarget(double most) : most_(most) {}

  // `least`: the low end of the measured value's interval, for this many samples.
  void add(double target_ms, double measured, double least) {
    ++targets_;
    const std::string text = target_text(target_ms) + ": " + ratio_text(measured);
    if (!(measured <= most_)) {
      over_ += (over_.empty() ? "" : ", ") + text;
      verdict_ = std::max(verdict_, least <= most_ ? Verdict::open : Verdict::missed);
      if (least <= most_) over_ += " (or " + ratio_text(least) + ")";
    }
    if (measured > worst_) {
      worst_ = measured;
      worst_text_ = text;
    }
  }
  bool any() const { return targets_ > 0; }
  Bar bar(std::string promise) const {
    return {std::move(promise), verdict_, over_.empty() ? "at most " + worst_text_ : "over at " + over_};
  }

 private:
  double most_;
  Verdict verdict_ = Verdict::held;
  int targets_ = 0;
  double worst_ = -1;
  std::string worst_text_;
  std::string over_;
};

void against_floors(const std::vector<Group>& groups, const std::string& where, const std::string& ours,
                    const Quantile& quantile, std::vector<Bar>& bars) {
  PerTarget ratios(of_floor_max);
  for (const Group& group : groups) {
    const Row* row = find(group, ours);
    const Row* timerfd = find(group, "timerfd");
    const Row* nanosleep = find(group, "clock_nanosleep");
    if (group.where != where || !row || !timerfd || !nanosleep) continue;
    const auto later = [&](auto value) {
      return std::max(value(timerfd->summary), value(nanosleep->summary));
    };
    const double floor = later([&](const Summary& s) { return s.*quantile.value; });
    const double floor_most = later([&](const Summary& s) { return (s.*quantile.between)[1]; });
    ratios.add(group.target_ms, row->summary.*quantile.value / floor,
               (row->summary.*quantile.between)[0] / floor_most);
  }
  if (!ratios.any()) return;
  bars.push_back(
      ratios.bar(where + ": " + ours + ", " + quantile.name + " within 15 % of timerfd or clock_nanosleep"));
}

// Treats a timer that fires early as being as far off as a late one: a peer's early timers count as late by
// as much.
void ahead_of_peer(const std::vector<Group>& groups, const std::string& where, const std::string& ours,
                   const std::string& peer, const Quantile& quantile, std::vector<Bar>& bars) {
  PerTarget ratios(1);
  for (const Group& group : groups) {
    const Row* row = find(group, ours);
    const Row* other = find(group, peer);
    if (group.where != where || !row || !other) continue;
    const double off = -other->summary.min;
    const double theirs = std::max(other->summary.*quantile.value, off);
    const double theirs_most = std::max((other->summary.*quantile.between)[1], off);
    ratios.add(group.target_ms, row->summary.*quantile.value / theirs,
               (row->summary.*quantile.between)[0] / theirs_most);
  }
  if (ratios.any())
    bars.push_back(ratios.bar(where + ": " + ours + ", " + quantile.name + " ahead of " + peer));
}

void spin_is_exact(const std::vector<Group>& groups, const std::string& where, std::vector<Bar>& bars) {
  for (const char* ours : {"epoll, spin", "poll, spin"}) {
    PerTarget medians(spin_p50_max_us);
    for (const Group& group : groups) {
      const Row* row = find(group, ours);
      if (group.where != where || !row) continue;
      medians.add(group.target_ms, row->summary.p50, row->summary.p50_between[0]);
    }
    if (medians.any()) bars.push_back(medians.bar(where + ": " + ours + ", p50 under 5 us"));
  }
}

}  // namespace

std::vector<Bar> bars(const std::vector<Row>& rows) {
  std::vector<Bar> all{never_early(rows)};
  const std::vector<Group> groups = grouped(rows);
  std::vector<std::string> wheres;
  std::set<std::string> peers;
  for (const Row& row : rows) {
    if (std::find(wheres.begin(), wheres.end(), row.where) == wheres.end()) wheres.push_back(row.where);
    if (row.kind == Kind::peer) peers.insert(row.contender);
  }
  for (const std::string& where : wheres) {
    for (const char* ours : {"epoll", "poll", "epoll, warm-up", "poll, warm-up"}) {
      for (const Quantile& quantile : quantiles) against_floors(groups, where, ours, quantile, all);
    }
    for (const std::string& peer : peers) {
      for (const char* ours : {"epoll", "epoll, warm-up"}) {
        for (const Quantile& quantile : quantiles) ahead_of_peer(groups, where, ours, peer, quantile, all);
      }
    }
    spin_is_exact(groups, where, all);
  }
  return all;
}

std::string bars_text(const std::vector<Bar>& bars) {
  std::string text;
  for (const Bar& bar : bars) {
    text += std::string(name(bar.verdict)) + "  " + bar.promise + "; " + bar.measured + "\n";
  }
  return text;
}

const char* name(Verdict verdict) {
  switch (verdict) {
    case Verdict::held: return "held    ";
    case Verdict::open: return "open    ";
    default: return "NOT HELD";
  }
}

}  // namespace escapement::lateness
