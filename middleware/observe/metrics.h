// Metrics: counts requests and reports them in Prometheus's text format.

#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/io/http/server.h>
#include <escapement/io/http/service.h>

namespace escapement::http {

// The values of one moment: plain data, so that those of several threads can be copied and added up.
class MetricsSample {
 public:
  // The kind of a metric: a counter only grows, a gauge may fall.
  enum class Kind { counter, gauge };
  // Upper ends of the duration histogram's buckets, in milliseconds; the last bucket has none.
  static constexpr std::array<double, 14> bucket_ends_ms{0.1, 0.25, 0.5, 1,   2.5,   5,     10,
                                                         25,  50,   100, 250, 1'000, 2'500, 10'000};

  // The value of an external metric.
  struct Reading {
    Reading(std::string n, std::string h, Kind k, double v)
        : name(std::move(n)), help(std::move(h)), kind(k), value(v) {}
    std::string name;  // as Prometheus allows it
    std::string help;  // one line
    Kind kind;         // counter or gauge
    double value;      // at the moment of the sample
  };

  // Adds `other` to this, including gauges and external metrics.
  void add(const MetricsSample& other);
  // Formats the sample in the text exposition format 0.0.4.
  std::string text() const;

  std::map<std::pair<std::string, int>, std::uint64_t> requests;  // by method and status
  std::int64_t in_flight = 0;                                     // requests
  // requests by bucket, the last without an end
  std::array<std::uint64_t, bucket_ends_ms.size() + 1> durations{};
  double duration_seconds_sum = 0;   // of all requests
  std::uint64_t response_bytes = 0;  // of all bodies
  std::vector<Reading> readings;     // of external metrics
};

// As a layer, counts requests by method (other than those with names in message.h as "other") and status
// (499: the client left first; 500, 503: the handler failed; 444: it reset the connection), requests in
// flight, bytes of bodies, and the time from the request's arrival here until its response body had been sent
// or dropped.
//
// Copies share the values, which belong to one reactor's thread: with several threads give each its own, and
// add up the results of `sample`.
class Metrics {
 public:
  // of `text`, for the response to a scrape
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

  Metrics();

  Task<Response> operator()(Request request, const Service& next) const;

  // Counts a request that a Server refused before any layer saw it, as method "none"; call it from the
  // server's `on_refused`.
  void refused(const Refusal& refusal) const;

  // Registers an external metric. `read` is called for each sample and must stay callable as long as samples
  // are taken. `name` is [a-zA-Z_:][a-zA-Z0-9_:]* (checked); a counter's ends in "_total".
  void add(std::string name, std::string help, MetricsSample::Kind kind, std::function<double()> read) const;

  // Returns the values of this moment.
  MetricsSample sample() const;

  // Returns a service that responds with the text of `sample`.
  Service page() const;

 private:
  struct State;

  std::shared_ptr<State> state_;
};

// Returns the response to a scrape.
Response metrics_response(const MetricsSample& sample);

}  // namespace escapement::http
