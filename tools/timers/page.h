// Keeps a Markdown page's tables and pictures up to date.

#pragma once

#include <string>
#include <vector>

#include "tools/timers/summary.h"

namespace escapement::lateness {

// In the page, between a line `<!-- timers: WHERE -->` and the next `<!-- end -->`, puts the table of the
// rows whose `where` begins with WHERE, and a picture: an SVG beside the page. `<!-- timers: machine -->`
// gets the machine's class and the settings. The rest of the page is left alone. An error's sentence, or
// empty.
std::string update_page(const std::string& page, const std::vector<Row>& rows, const std::string& settings);

}  // namespace escapement::lateness
