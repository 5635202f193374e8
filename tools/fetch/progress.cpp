#include "tools/fetch/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace escapement {

namespace {

std::string amount(double bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit < 4; ++unit) bytes /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return text;
}

}  // namespace

std::string progress_line(std::uint64_t bytes, std::uint64_t whole, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
  const std::string tail = amount(static_cast<double>(bytes)) + "  " + amount(rate) + "/s";
  if (whole == 0) return tail;
  const double part = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(whole));
  const auto filled = static_cast<std::size_t>(part * 30);
  std::string bar = std::string(filled, '=') + (filled < 30 ? ">" : "");
  bar.resize(30, ' ');
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3.0f%%", std::floor(part * 100));
  std::string left;
  if (rate > 0 && bytes < whole) {
    const auto rest = static_cast<long>(static_cast<double>(whole - bytes) / rate + 0.5);
    char text[48];
    std::snprintf(text, sizeof text, "  %ld:%02ld left", rest / 60, rest % 60);
    left = text;
  }
  return '[' + bar + "] " + percent + "  " + tail + left;
}

void ProgressBar::expect(Instant now, std::optional<std::uint64_t> bytes) {
  if (began_ == Instant::never()) began_ = drew_ = now;
  whole_known_ = whole_known_ && bytes.has_value();
  whole_ += bytes.value_or(0);
}

void ProgressBar::add(Instant now, std::uint64_t bytes) {
  bytes_ += bytes;
  if (shown_ && now - drew_ >= 100ms) draw(now);
}

void ProgressBar::draw(Instant now) {
  drew_ = now;
  drawn_ = true;
  const std::string line =
      progress_line(bytes_, whole_known_ ? whole_ : 0, (now - began_).milliseconds() / 1000);
  std::fprintf(stderr, "\r%s\033[K", line.c_str());
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace escapement
