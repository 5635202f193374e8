// OtlpExporter: sends spans to an OpenTelemetry collector, as JSON over HTTP.

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <escapement/io/http/service.h>
#include <escapement/middleware/observe/span.h>

namespace escapement::http {

// The settings of an OtlpExporter; each is finite by default.
class OtlpOptions {
 public:
  std::string service_name = "unknown_service";  // service.name of the resource
  std::size_t batch_max = 512;                   // spans in one request; at least 1
  std::size_t waiting_max = 2048;                // spans that wait; more are dropped, and counted
  Duration interval = 5s;                        // between two requests, unless a batch is full before
  Duration timeout = 10s;                        // for one request
};

// Collects spans, and sends them in batches while `run` does:
//
//     auto exporter = std::make_shared<OtlpExporter>(client, *Url::parse("http://127.0.0.1:4318/v1/traces"));
//     scope.spawn(exporter->run());
//     const Service api = layered(Tracer(exporter), client);
//
// A batch that fails, or gets another status than 2xx, is dropped and counted; put a Retry around the
// collector's service for more attempts. Do not put a Tracer of this exporter around it. Belongs to one
// reactor, and must outlive the tasks. In a Worker call `flush` in place of `run`, as work after the
// response.
//
// Source: OTLP 1, "OTLP/HTTP", in its JSON encoding.
class OtlpExporter final : public SpanSink {
 public:
  // `endpoint` gets the requests, by `collector`.
  OtlpExporter(Service collector, Url endpoint, OtlpOptions options = OtlpOptions());
  ~OtlpExporter() override;

  void add(const Span& span) override;

  // Sends batches until it is cancelled. Never fails.
  Task<> run();
  // Sends all that waits now. Never fails.
  Task<> flush();

  // Returns the number of spans that a collector has taken.
  std::uint64_t sent() const;
  // Returns the number of spans that were dropped, for lack of room or with their batch.
  std::uint64_t dropped() const;

 private:
  class State;

  std::unique_ptr<State> state_;
};

// Returns spans as an ExportTraceServiceRequest in JSON.
std::string otlp_json(const std::vector<Span>& spans, const std::string& service_name);

}  // namespace escapement::http
