// What the project promises about its timers, held against one run.

#pragma once

#include <string>
#include <vector>

#include "tools/timers/summary.h"

namespace escapement::lateness {

// `open`: the measured ratio is over the bar, but so few timers do not tell it from one under it: the
// intervals of the two quantiles (three standard deviations) allow both. More timers decide.
enum class Verdict { held, open, missed };

struct Bar {
  std::string promise;
  Verdict verdict;
  std::string measured;
};

// Only what the rows allow to judge. The first one is that no timer of ours fires early.
std::vector<Bar> bars(const std::vector<Row>& rows);
// "held      promise; measured", a line each.
std::string bars_text(const std::vector<Bar>& bars);
const char* name(Verdict verdict);

}  // namespace escapement::lateness
