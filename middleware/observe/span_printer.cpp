#include <escapement/middleware/observe/span_printer.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>

#include <escapement/core/system_time.h>
#include <escapement/middleware/observe/detail/json_text.h>

namespace escapement::http {

namespace {

constexpr std::size_t traces_max = 1000;
constexpr std::size_t spans_max = 1000;

std::string milliseconds(const char* format, double number) {
  char text[40];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

const SpanAttribute* find(const Span& span, std::string_view name) {
  for (const SpanAttribute& attribute : span.attributes) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

std::string title(const Span& span) {
  std::string text = span.name;
  const SpanAttribute* const url = find(span, "url.full");
  if (url != nullptr && !span.name.starts_with("attempt ")) text += ' ' + url->text;
  const SpanAttribute* const status = find(span, "http.response.status_code");
  if (status != nullptr && status->number) text += ' ' + std::to_string(*status->number);
  if (!span.failed) return text;
  const SpanAttribute* const type = find(span, "error.type");
  if (!span.error.empty()) return text + " (" + span.error + ')';
  return type == nullptr || status != nullptr ? text : text + " (" + type->text + ')';
}

// Sorts by the beginning, and keeps the order of those that began together. (clang warns of what libstdc++'s
// stable_sort calls.)
void sort_by_begin(std::vector<Span>& spans) {
  std::vector<std::size_t> order(spans.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return spans[a].began_ns != spans[b].began_ns ? spans[a].began_ns < spans[b].began_ns : a < b;
  });
  std::vector<Span> sorted;
  sorted.reserve(spans.size());
  for (const std::size_t place : order) sorted.push_back(std::move(spans[place]));
  spans = std::move(sorted);
}

}  // namespace

std::string json_line(const Span& span) {
  const SystemTime began = SystemTime::from_unix_milliseconds(span.began_ns / 1'000'000);
  std::string line = "{\"trace\":\"" + id_text(span.context.trace_id) + "\",\"span\":\"" +
                     id_text(span.context.span_id) + '"';
  if (span.parent) line += ",\"parent\":\"" + id_text(*span.parent) + '"';
  line += ",\"name\":" + detail::json_text(span.name) + ",\"time\":\"" + began.rfc3339() + '"';
  line += ",\"duration_ms\":" + milliseconds("%.3f", span.duration.milliseconds());
  if (span.failed) line += ",\"error\":" + detail::json_text(span.error);
  for (const SpanAttribute& attribute : span.attributes) {
    line += ',' + detail::json_text(attribute.name) + ':';
    line += attribute.number ? std::to_string(*attribute.number) : detail::json_text(attribute.text);
  }
  return line + '}';
}

void SpanTree::add(const Span& span) {
  const TraceId& trace = span.context.trace_id;
  if (!span.local_root) {
    if (!open_.contains(trace)) {
      if (order_.size() == traces_max) {
        open_.erase(order_.front());
        order_.erase(order_.begin());
      }
      order_.push_back(trace);
    }
    std::vector<Span>& parts = open_[trace];
    if (parts.size() < spans_max) parts.push_back(span);
    return;
  }
  std::vector<Span> parts;
  const auto at = open_.find(trace);
  if (at != open_.end()) {
    parts = std::move(at->second);
    open_.erase(at);
    std::erase(order_, trace);
  }
  sort_by_begin(parts);
  write(span, parts, span.began_ns, 0);
}

void SpanTree::write(const Span& span, const std::vector<Span>& parts, std::int64_t origin_ns,
                     int depth) const {
  const double since = static_cast<double>(span.began_ns - origin_ns) * 1e-6;
  std::string line =
      milliseconds("%9.1f ms", since) + milliseconds(" %8.1f ms", span.duration.milliseconds());
  line.append(static_cast<std::size_t>(2 + 2 * depth), ' ');
  write_(line + title(span));
  if (depth == 20) return;  // a span that names itself as its parent
  for (const Span& part : parts) {
    if (part.parent == span.context.span_id) write(part, parts, origin_ns, depth + 1);
  }
}

}  // namespace escapement::http
