#include "tools/load/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace escapement {

namespace {

constexpr double percentiles[] = {50, 75, 90, 95, 99, 99.9, 99.99, 100};

template <class... Values>
std::string printed(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::uint64_t failures_of(const LoadResult& result) {
  std::uint64_t count = 0;
  for (const auto& [kind, failures] : result.failures) count += failures;
  return count;
}

double rate_of(const LoadResult& result) {
  return result.seconds > 0 ? static_cast<double>(result.latency.count()) / result.seconds : 0;
}

// Bars between powers of two of a microsecond: as many as there are latencies of.
std::string bars(const Histogram& latency) {
  std::string text = "\n  up to         requests\n";
  Duration end = Duration::nanoseconds(1000);
  while (end * 2 < latency.least()) end = end * 2;
  std::uint64_t before = 0;
  while (before < latency.count()) {
    const std::uint64_t up_to = std::max(latency.count_up_to(end), before);
    const std::uint64_t count = up_to - before;
    const double part = static_cast<double>(count) / static_cast<double>(latency.count());
    const auto width = static_cast<std::size_t>(std::ceil(part * 50));
    text += printed("  %9.3f ms %9llu ", end.milliseconds(), static_cast<unsigned long long>(count)) +
            std::string(width, '#') + '\n';
    before = up_to;
    end = end * 2;
  }
  return text;
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<') {
      safe += "&lt;";
    } else if (c == '&') {
      safe += "&amp;";
    } else if (c == '"') {
      safe += "&quot;";
    } else {
      safe += c;
    }
  }
  return safe;
}

constexpr double left = 70;
constexpr double right = 690;
constexpr double top = 50;
constexpr double bottom = 350;

// Each further nine is as wide as the last: 0, 90, 99, 99.9, ...
double x_of(double percent, double nines) {
  const double at = std::min(-std::log10(std::max(1 - percent / 100, 1e-12)), nines);
  return left + (right - left) * at / nines;
}

std::string axes(double nines, double highest) {
  std::string svg;
  const char* names[] = {"0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"};
  for (int nine = 0; nine <= static_cast<int>(nines); ++nine) {
    const double x = left + (right - left) * nine / nines;
    svg += printed("<path d=\"M%.1f %.1fV%.1f\" class=\"grid\"/>", x, top, bottom) +
           printed("<text x=\"%.1f\" y=\"370\" text-anchor=\"middle\">%s</text>\n", x, names[nine]);
  }
  for (int line = 0; line <= 4; ++line) {
    const double y = bottom - (bottom - top) * line / 4;
    svg += printed("<path d=\"M%.1f %.1fH%.1f\" class=\"grid\"/>", left, y, right) +
           printed("<text x=\"62\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n", y + 4, highest * line / 4);
  }
  return svg;
}

std::string curve(const Histogram& latency, const char* kind, double nines, double highest) {
  std::string points;
  for (double at = 0; at <= nines + 0.001; at += nines / 200) {
    const double percent = 100 * (1 - std::pow(10, -at));
    const double y = bottom - (bottom - top) * latency.percentile(percent).milliseconds() / highest;
    points += printed("%.1f,%.1f ", x_of(percent, nines), y);
  }
  return "<polyline class=\"" + std::string(kind) + "\" points=\"" + points + "\"/>\n";
}

}  // namespace

std::string text_of(const LoadOptions& options, const LoadResult& result) {
  std::string text = options.url + '\n';
  text += options.rate > 0 ? printed("  %.10g requests a second were due", options.rate)
                           : std::string("  as fast as responses came");
  text += printed(", over %zu connections, for %.10g s\n", options.connections, options.seconds);
  text +=
      printed("  %llu responses, %.1f a second, %.1f KiB of bodies a second; %llu connections were made\n",
              static_cast<unsigned long long>(result.latency.count()), rate_of(result),
              static_cast<double>(result.body_bytes) / 1024 / std::max(result.seconds, 1e-9),
              static_cast<unsigned long long>(result.connections_made));
  text += "  statuses:";
  for (const auto& [status, count] : result.statuses) {
    text += printed(" %d: %llu", status, static_cast<unsigned long long>(count));
  }
  text += '\n';
  for (const auto& [kind, count] : result.failures) {
    text += printed("  failed: %llu %s\n", static_cast<unsigned long long>(count), kind.c_str());
  }
  if (!result.first_failure.empty()) text += "  the first failure: " + result.first_failure + '\n';
  if (result.latency.count() == 0) return text;
  text += options.rate > 0 ? "\n  latency, from when a request was due (in brackets: from when it was sent)\n"
                           : "\n  latency, from when a request was sent. Without --rate a stall hides the "
                             "requests that it held\n"
                             "  back (coordinated omission)\n";
  for (const double percent : percentiles) {
    text += printed("  %8.6g %%  %10.3f ms", percent, result.latency.percentile(percent).milliseconds());
    if (options.rate > 0) text += printed("  (%.3f ms)", result.service.percentile(percent).milliseconds());
    text += '\n';
  }
  text += printed("  mean %.3f ms, standard deviation %.3f ms, least %.3f ms\n",
                  result.latency.mean().milliseconds(), result.latency.deviation_milliseconds(),
                  result.latency.least().milliseconds());
  return text + bars(result.latency);
}

std::string json_of(const LoadOptions& options, const LoadResult& result) {
  const auto latencies = [](const Histogram& latency) {
    nlohmann::json object{{"count", latency.count()},
                          {"mean_ms", latency.mean().milliseconds()},
                          {"deviation_ms", latency.deviation_milliseconds()},
                          {"min_ms", latency.least().milliseconds()}};
    for (const double percent : percentiles) {
      object["percentiles_ms"][printed("%.6g", percent)] = latency.percentile(percent).milliseconds();
    }
    return object;
  };
  nlohmann::json object{{"url", options.url},
                        {"rate", options.rate},
                        {"connections", options.connections},
                        {"seconds", result.seconds},
                        {"responses", result.latency.count()},
                        {"responses_per_second", rate_of(result)},
                        {"body_bytes", result.body_bytes},
                        {"connections_made", result.connections_made},
                        {"failed", failures_of(result)},
                        {"failures", result.failures},
                        {"statuses", nlohmann::json::object()},
                        {"latency", latencies(result.latency)},
                        {"service", latencies(result.service)}};
  for (const auto& [status, count] : result.statuses) object["statuses"][std::to_string(status)] = count;
  if (!result.first_failure.empty()) object["first_failure"] = result.first_failure;
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

std::string picture_of(const LoadOptions& options, const LoadResult& result) {
  const auto count = static_cast<double>(std::max<std::uint64_t>(result.latency.count(), 10));
  const double nines = std::clamp(std::floor(std::log10(count)), 1.0, 6.0);
  const double highest = std::max(result.latency.most().milliseconds(), 0.001);
  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 400\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n"
      "<style>.grid{stroke:#ccc;fill:none}.due{stroke:#b33;stroke-width:2;fill:none}"
      ".sent{stroke:#36a;stroke-width:2;fill:none}</style>\n<rect width=\"720\" height=\"400\" "
      "fill=\"#fff\"/>\n";
  svg += "<text x=\"70\" y=\"20\" font-size=\"14\">" + escaped(options.url) + "</text>\n";
  svg += "<text x=\"70\" y=\"38\">" +
         printed("latency in ms by percentile; %.1f responses a second, %zu connections", rate_of(result),
                 options.connections) +
         "</text>\n";
  svg += axes(nines, highest);
  if (options.rate > 0) {
    svg += curve(result.service, "sent", nines, highest);
    svg +=
        "<text x=\"80\" y=\"390\" fill=\"#b33\">from when it was due</text>"
        "<text x=\"230\" y=\"390\" fill=\"#36a\">from when it was sent</text>\n";
  }
  return svg + curve(result.latency, "due", nines, highest) + "</svg>\n";
}

}  // namespace escapement
