// Keeps a Markdown page's tables and pictures up to date.

#pragma once

#include <string>
#include <vector>

#include "tools/timers/summary.h"

namespace escapement::lateness {

// Replaces the text between a line `<!-- timers: WHERE -->` and the next `<!-- end -->` by the table of the
// rows whose `where` begins with WHERE, and a picture: an SVG beside the page. `<!-- timers: machine -->`
// gets the machine's class and the settings. Leaves the rest of the page alone. Returns an error's sentence,
// or empty.
std::string update_page(const std::string& page, const std::vector<Row>& rows, const std::string& settings);

}  // namespace escapement::lateness
