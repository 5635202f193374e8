// Formats results for a terminal of 80 columns, and as JSON.

#pragma once

#include <string>
#include <vector>

#include "tools/timers/measure.h"

namespace escapement::lateness {

// Returns a table for each group of rows.
std::string table_text(const std::vector<Row>& rows);
// Returns one line a row: how many samples fell into each logarithmic bucket.
std::string histogram_text(const std::vector<Row>& rows);
// Returns "2 x86-64 CPUs (AMD EPYC), virtual, Linux 6.18": the class of machine, not its name.
std::string machine_text();

// Returns everything as JSON.
std::string to_json(const std::vector<Row>& rows, const std::string& settings);
// Adds the rows of a file that esc-timers --json or timers/hosts.mjs wrote. Returns an error's sentence, or
// empty.
std::string merge_json(const std::string& file, std::vector<Row>& rows);

}  // namespace escapement::lateness
