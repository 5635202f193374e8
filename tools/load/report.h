// The report of esc-load: as text, as JSON and as a picture.

#pragma once

#include <string>

#include "tools/load/load.h"

namespace escapement {

// Returns the report for a person: rate, statuses, percentiles, and a histogram in bars.
std::string text_of(const LoadOptions& options, const LoadResult& result);

// Returns one JSON object; latencies in milliseconds.
std::string json_of(const LoadOptions& options, const LoadResult& result);

// Returns an SVG: latency over the percentile, whose axis shows each further nine as wide as the last.
std::string picture_of(const LoadOptions& options, const LoadResult& result);

}  // namespace escapement
