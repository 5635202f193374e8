// Draws results: for each target a panel, for each contender a line with the distribution of its lateness on
// a logarithmic scale, all side by side.

#pragma once

#include <string>
#include <vector>

#include "tools/timers/bars.h"

namespace escapement::lateness {

// Returns one SVG with a panel for each target among `rows`, which all have the same `where`.
std::string picture_svg(const std::string& title, const std::vector<Row>& rows);
// Returns one SVG with all of `rows`: the output of --report FILE.svg.
std::string pictures_svg(const std::vector<Row>& rows);
// Returns a self-contained page: pictures, bars, tables.
std::string report_html(const std::vector<Row>& rows, const std::vector<Bar>& bars,
                        const std::string& settings);
// Returns the rows with the given `where`, in order.
std::vector<Row> rows_of(const std::vector<Row>& rows, const std::string& where);
std::vector<std::string> places(const std::vector<Row>& rows);

}  // namespace escapement::lateness
