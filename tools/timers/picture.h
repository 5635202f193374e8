// Pictures of results: for each target a panel, for each contender a line with the distribution of its
// lateness on a logarithmic scale, all side by side.

#pragma once

#include <string>
#include <vector>

#include "tools/timers/bars.h"

namespace escapement::lateness {

// One SVG with a panel for each target among `rows`, which all have the same `where`.
std::string picture_svg(const std::string& title, const std::vector<Row>& rows);
// One SVG with all that is in `rows`: what --report FILE.svg writes.
std::string pictures_svg(const std::vector<Row>& rows);
// A page that needs nothing else: pictures, bars, tables.
std::string report_html(const std::vector<Row>& rows, const std::vector<Bar>& bars,
                        const std::string& settings);
// Rows whose `where` is the given one, in order.
std::vector<Row> rows_of(const std::vector<Row>& rows, const std::string& where);
std::vector<std::string> places(const std::vector<Row>& rows);

}  // namespace escapement::lateness
