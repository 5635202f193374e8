// SpanLines and SpanTree: spans as text, for a console.

#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/middleware/observe/span.h>

namespace escapement::http {

// Returns a span as one JSON object, without a line break: trace, span, parent, name, time, duration_ms,
// error, and its attributes. Bytes outside of ASCII are written as if they were Latin-1.
std::string json_line(const Span& span);

// Writes each span as a line, as soon as it has ended.
class SpanLines final : public SpanSink {
 public:
  // `write` gets each line without its line break.
  explicit SpanLines(std::function<void(std::string_view)> write) : write_(std::move(write)) {}
  void add(const Span& span) override { write_(json_line(span)); }

 private:
  std::function<void(std::string_view)> write_;
};

// Writes each trace as a tree, when its root in this program has ended. The first number is the time since
// the root began, the second how long it took:
//
//        0.0 ms  350.0 ms  GET http://h/x?token=REDACTED 200
//        0.0 ms   50.0 ms    attempt 1 503
//        0.0 ms   10.0 ms      connect
//      150.0 ms  200.0 ms    attempt 2 200
//
// Keeps the parts of at most 1000 traces that have not ended, and 1000 spans of each; the oldest trace goes
// first. A span without its root in this tree is never written.
class SpanTree final : public SpanSink {
 public:
  // `write` gets each line without its line break.
  explicit SpanTree(std::function<void(std::string_view)> write) : write_(std::move(write)) {}
  void add(const Span& span) override;

 private:
  using TraceId = std::array<std::uint8_t, 16>;
  void write(const Span& span, const std::vector<Span>& parts, std::int64_t origin_ns, int depth) const;

  std::function<void(std::string_view)> write_;
  std::map<TraceId, std::vector<Span>> open_;
  std::vector<TraceId> order_;  // of the open ones
};

}  // namespace escapement::http
