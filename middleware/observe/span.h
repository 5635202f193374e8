// Span: a piece of a request's life in a trace, and where spans go.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/core/time.h>

namespace escapement::http {

// A span's place in a trace, as traceparent carries it (W3C Trace Context, level 1).
class TraceContext {
 public:
  std::array<std::uint8_t, 16> trace_id{};  // not all zero
  std::array<std::uint8_t, 8> span_id{};    // not all zero
  bool sampled = false;                     // whether spans are recorded

  // Parses "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"; versions above 00 may have more behind
  // that. nullopt for everything else.
  static std::optional<TraceContext> parse(std::string_view traceparent);
  // Returns the text for traceparent, of version 00.
  std::string text() const;
  bool operator==(const TraceContext&) const = default;
};

// Returns an id in lower-case hexadecimal digits.
std::string id_text(const std::array<std::uint8_t, 16>& trace_id);
std::string id_text(const std::array<std::uint8_t, 8>& span_id);

// Something that is known of a span: a text or a number.
class SpanAttribute {
 public:
  SpanAttribute(std::string n, std::string t) : name(std::move(n)), text(std::move(t)) {}
  SpanAttribute(std::string n, std::int64_t v) : name(std::move(n)), number(v) {}
  std::string name;                    // as OpenTelemetry's semantic conventions have it
  std::string text;                    // if there is no number
  std::optional<std::int64_t> number;  // in place of a text
};

// A piece of time in the life of a request, with the one that it is a part of.
class Span {
 public:
  // The side of the call.
  enum class Kind { internal = 1, server = 2, client = 3 };

  TraceContext context;                               // its own ids
  std::optional<std::array<std::uint8_t, 8>> parent;  // none: the trace begins here
  bool local_root = false;                            // its parent is not of this program, if it has one
  std::string name;                                   // "GET", "attempt 2", "connect"
  Kind kind = Kind::internal;                         // internal: a phase of an attempt
  std::int64_t began_ns = 0;              // since 1970, by the wall clock when its outermost part began
  Duration duration;                      // by the monotonic clock
  bool failed = false;                    // by an error, or a status of 500 and more (servers), 400 (clients)
  std::string error;                      // why it failed, without secrets of ours; empty: not by an Error
  std::string trace_state;                // tracestate, as it came
  std::vector<SpanAttribute> attributes;  // in no order
};

// Takes finished spans. Parts come before the whole.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  // Must not destroy the task that the span is about. What it throws is dropped.
  virtual void add(const Span& span) = 0;
};

}  // namespace escapement::http
