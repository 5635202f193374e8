#include "tools/timers/picture.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tools/timers/text.h"

namespace escapement::lateness {

namespace {

// All lengths are in pixels.
constexpr double width = 1080;
constexpr double margin = 20;
constexpr double panel_gap = 28;
constexpr double panel_width = (width - 2 * margin - panel_gap) / 2;
constexpr double name_width = 116;
constexpr double numbers_width = 100;
constexpr double plot_width = panel_width - name_width - numbers_width;
constexpr double row_height = 21;
constexpr double bar_height = 17;
constexpr double title_height = 46;
constexpr double panel_head = 26;
constexpr double panel_foot = 34;

// The axis: 1 us to 100 ms. Values below a microsecond are drawn at its start.
constexpr int first_bucket = Buckets::per_decade;
constexpr int columns = Buckets::count - first_bucket;
constexpr double column_width = plot_width / columns;

constexpr const char* style =
    "text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#24292f}"
    ".title{font-size:16px;font-weight:600}.head{font-size:13px;font-weight:600}.quiet{fill:#6e7781;font-"
    "size:11px}"
    ".number{font-size:11px;text-anchor:end}.ours{fill:#0969da}.floor{fill:#8c959f}.peer{fill:#bc6c25}"
    "rect.early{fill:#cf222e}text.early{fill:#cf222e;font-size:10px;paint-order:stroke;stroke:#fff;stroke-"
    "width:3px}.grid{stroke:#d8dee4;stroke-width:1}.median{stroke:#24292f;stroke-width:1.6}";

template <class... Values>
std::string printed(const char* format, Values... values) {
  std::string text(1024, '\0');
  text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), format, values...)));
  return text;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (char c : text) {
    if (c == '<') {
      result += "&lt;";
    } else if (c == '&') {
      result += "&amp;";
    } else {
      result += c;
    }
  }
  return result;
}

double x_of(double microseconds) {
  const double decades = std::log10(std::clamp(microseconds, 1.0, Buckets::most_us));
  return decades * Buckets::per_decade * column_width;
}

std::string bars_svg(const Row& row) {
  std::array<long, columns> counts{};
  for (int i = 0; i < Buckets::count; ++i) {
    counts[static_cast<std::size_t>(std::max(0, i - first_bucket))] +=
        row.summary.buckets.counts[static_cast<std::size_t>(i)];
  }
  const long highest = std::max(1L, *std::max_element(counts.begin(), counts.end()));
  std::string svg;
  for (int i = 0; i < columns; ++i) {
    const long count = counts[static_cast<std::size_t>(i)];
    if (count == 0) continue;
    // Takes the square root, so that single late timers are visible too.
    const double share = std::sqrt(static_cast<double>(count) / static_cast<double>(highest));
    const double height = std::max(1.2, share * bar_height);
    svg += printed("<rect class='%s' x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>", name(row.kind),
                   i * column_width, bar_height - height, column_width - 0.6, height);
  }
  return svg;
}

std::string row_svg(const Row& row, double y) {
  const Summary& s = row.summary;
  std::string svg = printed("<g transform='translate(0,%.1f)'>", y);
  svg += printed("<text x='%.1f' y='13' text-anchor='end'>%s</text>", name_width - 10,
                 escaped(row.contender).c_str());
  svg += printed("<g transform='translate(%.1f,0)'>", name_width);
  svg += bars_svg(row);
  if (s.early > 0) {
    svg += printed("<rect class='early' x='-5' y='0' width='4' height='%.1f'/>", bar_height);
    svg +=
        printed("<text class='early' x='%.1f' y='10' text-anchor='end'>%.2g %% early, by up to %s us</text>",
                plot_width - 2, 100.0 * static_cast<double>(s.early) / static_cast<double>(s.count),
                microseconds_text(-s.min).c_str());
  }
  if (s.p50 >= 0) {
    svg += printed("<line class='median' x1='%.1f' x2='%.1f' y1='0' y2='%.1f'/>", x_of(s.p50), x_of(s.p50),
                   bar_height);
  }
  svg += printed("<text class='number' x='%.1f' y='13'>%s</text>", plot_width + 48,
                 microseconds_text(s.p50).c_str());
  svg += printed("<text class='number' x='%.1f' y='13'>%s</text>", plot_width + numbers_width - 2,
                 microseconds_text(s.p99).c_str());
  return svg + "</g></g>\n";
}

double panel_height(const Group& group) {
  return panel_head + row_height * static_cast<double>(group.rows.size()) + panel_foot;
}

std::string axis_svg(double height) {
  static const char* const labels[] = {"1 us", "10 us", "100 us", "1 ms", "10 ms", "100 ms"};
  std::string svg;
  for (int decade = 0; decade <= columns / Buckets::per_decade; ++decade) {
    const double x = name_width + decade * Buckets::per_decade * column_width;
    svg += printed("<line class='grid' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>", x, x, panel_head - 4,
                   panel_head + height);
    svg += printed("<text class='quiet' x='%.1f' y='%.1f' text-anchor='middle'>%s</text>", x,
                   panel_head + height + 14, labels[decade]);
  }
  return svg;
}

std::string panel_svg(const Group& group, double x, double y) {
  std::string svg = printed("<g transform='translate(%.1f,%.1f)'>", x, y);
  svg += printed("<text class='head' x='%.1f' y='14'>%s timers</text>", name_width,
                 target_text(group.target_ms).c_str());
  svg += printed("<text class='quiet number' x='%.1f' y='14'>p50</text>", name_width + plot_width + 48);
  svg += printed("<text class='quiet number' x='%.1f' y='14'>p99, us</text>", panel_width - 2);
  svg += axis_svg(row_height * static_cast<double>(group.rows.size()));
  double at = panel_head;
  for (const Row* row : group.rows) {
    svg += row_svg(*row, at);
    at += row_height;
  }
  return svg + "</g>\n";
}

// Returns the contents of the <svg>, and sets its height.
std::string body_svg(const std::string& title, const std::vector<Row>& rows, double& height) {
  std::string svg = printed("<text class='title' x='%.1f' y='30'>%s</text>", margin, escaped(title).c_str());
  svg += printed(
      "<text class='quiet number' x='%.1f' y='30'>lateness of a timer: blue ours, grey the kernel alone, "
      "brown "
      "peers; the line is the median</text>\n",
      width - margin);
  double y = title_height;
  double lowest = 0;
  bool left = true;
  for (const Group& group : grouped(rows)) {
    svg += panel_svg(group, left ? margin : margin + panel_width + panel_gap, y);
    lowest = std::max(lowest, y + panel_height(group));
    if (!left) y = lowest;
    left = !left;
  }
  height = lowest;
  return svg;
}

std::string document_svg(const std::string& body, double height) {
  return printed(
             "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' height='%.0f'>\n",
             width, height, width, height) +
         "<style>" + style + "</style>\n<rect width='100%' height='100%' fill='#ffffff'/>\n" + body +
         "</svg>\n";
}

}  // namespace

std::vector<Row> rows_of(const std::vector<Row>& rows, const std::string& where) {
  std::vector<Row> found;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(found),
               [&](const Row& row) { return row.where == where; });
  return found;
}

std::vector<std::string> places(const std::vector<Row>& rows) {
  std::vector<std::string> found;
  for (const Row& row : rows) {
    if (std::find(found.begin(), found.end(), row.where) == found.end()) found.push_back(row.where);
  }
  return found;
}

std::string picture_svg(const std::string& title, const std::vector<Row>& rows) {
  double height = 0;
  const std::string body = body_svg(title, rows, height);
  return document_svg(body, height);
}

std::string pictures_svg(const std::vector<Row>& rows) {
  std::string all;
  double y = 0;
  for (const std::string& where : places(rows)) {
    double height = 0;
    const std::string body = body_svg(where, rows_of(rows, where), height);
    all += printed("<g transform='translate(0,%.1f)'>\n", y) + body + "</g>\n";
    y += height + 10;
  }
  return document_svg(all, y);
}

std::string report_html(const std::vector<Row>& rows, const std::vector<Bar>& bars,
                        const std::string& settings) {
  std::string html =
      "<!doctype html><meta charset='utf-8'><title>Timer lateness</title>\n<style>body{font:15px/1.5 "
      "system-ui,sans-serif;"
      "max-width:1100px;margin:2em auto;padding:0 "
      "1em;color:#24292f}svg{max-width:100%;height:auto}pre{font-size:12px;"
      "line-height:1.35;overflow-x:auto;background:#f6f8fa;padding:1em}h1{font-size:22px}.held{color:#1a7f37}"
      ".missed{color:#cf222e}"
      "</style>\n<h1>How late timers fire</h1>\n";
  html += "<p>" + escaped(machine_text()) + ". " + escaped(settings) +
          "</p>\n<p>Lateness is the clock when a timer's callback runs minus its deadline. All contenders "
          "took turns within "
          "one run, so what disturbed the machine disturbed all alike. Numbers in microseconds.</p>\n";
  for (const std::string& where : places(rows)) html += picture_svg(where, rows_of(rows, where));
  html += "<h2>Bars</h2>\n<ul>\n";
  for (const Bar& bar : bars) {
    html += printed("<li class='v%d'>%s: ", static_cast<int>(bar.verdict), name(bar.verdict)) +
            escaped(bar.promise) + "; " + escaped(bar.measured) + "</li>\n";
  }
  return html + "</ul>\n<h2>Numbers</h2>\n<pre>" + escaped(table_text(rows)) + "</pre>\n";
}

}  // namespace escapement::lateness
