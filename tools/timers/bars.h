// The project's promises about its timers, checked against one run.

#pragma once

#include <string>
#include <vector>

#include "tools/timers/summary.h"

namespace escapement::lateness {

// `open`: the measured ratio is over the bar, but there are too few timers to tell: the intervals of the two
// quantiles (three standard deviations) allow both. More timers decide.
enum class Verdict { held, open, missed };

struct Bar {
  std::string promise;
  Verdict verdict;
  std::string measured;
};

// Returns the bars that the rows are sufficient to judge. The first one is that none of our timers fires
// early.
std::vector<Bar> bars(const std::vector<Row>& rows);
// Returns lines of the form "held      promise; measured".
std::string bars_text(const std::vector<Bar>& bars);
const char* name(Verdict verdict);

}  // namespace escapement::lateness
