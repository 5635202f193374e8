// The times of a transfer: as bars (--trace) and in sentences (--explain).

#pragma once

#include <string>

#include "tools/fetch/options.h"
#include "tools/fetch/story.h"

namespace escapement {

// Returns a line for each thing that the transfer waited for, with its begin and end, and a bar that shows
// where it lies in the whole.
std::string waterfall(const Story& story);

// Returns an account of the transfer: each attempt, over which connection, why there was another one, and
// what limits it.
std::string explanation(const Story& story, const FetchOptions& options, const std::string& outcome);

}  // namespace escapement
