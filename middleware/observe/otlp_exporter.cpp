#include <escapement/middleware/observe/otlp_exporter.h>

#include <algorithm>
#include <deque>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/defer.h>
#include <escapement/core/event.h>
#include <escapement/middleware/observe/detail/json_text.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

using detail::json_text;

std::string attribute_json(const SpanAttribute& attribute) {
  std::string json = "{\"key\":" + json_text(attribute.name) + ",\"value\":{";
  if (attribute.number) {
    json += "\"intValue\":\"" + std::to_string(*attribute.number) + '"';
  } else {
    json += "\"stringValue\":" + json_text(attribute.text);
  }
  return json + "}}";
}

std::string span_json(const Span& span) {
  std::string json = "{\"traceId\":\"" + id_text(span.context.trace_id) + "\",\"spanId\":\"" +
                     id_text(span.context.span_id) + '"';
  if (span.parent) json += ",\"parentSpanId\":\"" + id_text(*span.parent) + '"';
  if (!span.trace_state.empty()) json += ",\"traceState\":" + json_text(span.trace_state);
  json += ",\"name\":" + json_text(span.name) + ",\"kind\":" + std::to_string(static_cast<int>(span.kind));
  json += ",\"startTimeUnixNano\":\"" + std::to_string(span.began_ns) + '"';
  json += ",\"endTimeUnixNano\":\"" + std::to_string(span.began_ns + span.duration.count()) + '"';
  json += ",\"attributes\":[";
  for (const SpanAttribute& attribute : span.attributes) {
    if (json.back() != '[') json += ',';
    json += attribute_json(attribute);
  }
  json += "],\"status\":{";
  if (span.failed) json += "\"code\":2";
  if (!span.error.empty()) json += ",\"message\":" + json_text(span.error);
  return json + "}}";
}

}  // namespace

std::string otlp_json(const std::vector<Span>& spans, const std::string& service_name) {
  std::string json = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[";
  json += attribute_json(SpanAttribute("service.name", service_name));
  json += "]},\"scopeSpans\":[{\"scope\":{\"name\":\"escapement\"},\"spans\":[";
  for (const Span& span : spans) {
    if (json.back() != '[') json += ',';
    json += span_json(span);
  }
  return json + "]}]}]}";
}

class OtlpExporter::State {
 public:
  State(Service c, Url e, OtlpOptions o)
      : collector(std::move(c)), endpoint(std::move(e)), options(std::move(o)) {
    options.batch_max = std::max<std::size_t>(1, options.batch_max);
  }

  std::vector<Span> take_batch() {
    std::vector<Span> batch;
    while (!waiting.empty() && batch.size() < options.batch_max) {
      batch.push_back(std::move(waiting.front()));
      waiting.pop_front();
    }
    return batch;
  }

  // Sends one request, and yields whether the collector took it.
  Task<bool> send(std::string json) {
    Headers fields{{"Content-Type", "application/json"}};
    Request request("POST", endpoint, std::move(fields), Body(std::move(json)));
    Result<Response> response = co_await collector(std::move(request)).result();
    if (!response) co_return false;
    Result<std::string> text = co_await response->body.text(64 * KiB).result();
    (void)text;  // says which spans were refused, if any were
    co_return response->status >= 200 && response->status < 300;
  }

  Task<> send_batch() {
    const std::vector<Span> batch = take_batch();
    bool all_taken = false;
    sending += batch.size();
    // Also when this is cancelled.
    const Defer over([this, &all_taken, count = batch.size()] {
      sending -= count;
      (all_taken ? sent : dropped) += count;
    });
    Task<bool> request = send(otlp_json(batch, options.service_name));
    Result<bool> taken = co_await with_timeout(options.timeout, std::move(request)).result();
    all_taken = taken && *taken;
  }

  Service collector;
  Url endpoint;
  OtlpOptions options;
  std::deque<Span> waiting;
  std::size_t sending = 0;
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;
  Event full;  // a batch is
};

OtlpExporter::OtlpExporter(Service collector, Url endpoint, OtlpOptions options)
    : state_(std::make_unique<State>(std::move(collector), std::move(endpoint), std::move(options))) {}
OtlpExporter::~OtlpExporter() = default;

std::uint64_t OtlpExporter::sent() const { return state_->sent; }
std::uint64_t OtlpExporter::dropped() const { return state_->dropped; }

void OtlpExporter::add(const Span& span) {
  if (state_->waiting.size() + state_->sending >= state_->options.waiting_max) {
    ++state_->dropped;
    return;
  }
  state_->waiting.push_back(span);
  if (state_->waiting.size() >= state_->options.batch_max) state_->full.set();
}

Task<> OtlpExporter::run() {
  for (;;) {
    Result<> full = co_await with_timeout(state_->options.interval, state_->full.wait()).result();
    (void)full;  // or the interval is over
    state_->full.reset();
    if (!state_->waiting.empty()) co_await state_->send_batch();
    if (state_->waiting.size() >= state_->options.batch_max) state_->full.set();
  }
}

Task<> OtlpExporter::flush() {
  std::size_t left = state_->waiting.size();
  while (left > 0 && !state_->waiting.empty()) {
    left -= std::min({left, state_->options.batch_max, state_->waiting.size()});
    co_await state_->send_batch();
  }
}

}  // namespace escapement::http
