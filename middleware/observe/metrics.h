// Metrics: counts what passes, and tells it in Prometheus's text format.

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

// The figures of one moment: plain values, so that those of several threads can be copied and added up.
class MetricsSample {
 public:
  enum class Kind { counter, gauge };
  // Upper ends of the duration histogram's buckets, in milliseconds; one more has no end.
  static constexpr std::array<double, 14> bucket_ends_ms{0.1, 0.25, 0.5, 1,   2.5,   5,     10,
                                                         25,  50,   100, 250, 1'000, 2'500, 10'000};

  struct Reading {
    Reading(std::string n, std::string h, Kind k, double v)
        : name(std::move(n)), help(std::move(h)), kind(k), value(v) {}
    std::string name;
    std::string help;
    Kind kind;
    double value;
  };

  // Adds `other` to this: also gauges and whatever was read of others.
  void add(const MetricsSample& other);
  // The text exposition format 0.0.4.
  std::string text() const;

  std::map<std::pair<std::string, int>, std::uint64_t> requests;  // by method and status
  std::int64_t in_flight = 0;
  std::array<std::uint64_t, bucket_ends_ms.size() + 1> durations{};
  double duration_seconds_sum = 0;
  std::uint64_t response_bytes = 0;
  std::vector<Reading> readings;
};

// As a layer it counts requests by method (others than those with names in message.h as "other") and status
// (499: the client left first; 500, 503: the handler failed; 444: it reset the connection), those in flight,
// bytes of bodies, and how long each took from here until its body had been sent or given up.
//
// Copies share the figures. They belong to one reactor's thread: with several threads give each its own, and
// add up what `sample` says.
class Metrics {
 public:
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

  Metrics();

  Task<Response> operator()(Request request, const Service& next) const;

  // Counts what a Server refused and no layer sees, from its `on_refused`: as method "none".
  void refused(const Refusal& refusal) const;

  // Somebody else's figure: `read` is called for each sample and must stay callable as long as that may be.
  // `name` is [a-zA-Z_:][a-zA-Z0-9_:]* (checked); a counter's ends in "_total".
  void add(std::string name, std::string help, MetricsSample::Kind kind, std::function<double()> read) const;

  MetricsSample sample() const;

  // Answers with the text of `sample`.
  Service page() const;

 private:
  struct State;

  std::shared_ptr<State> state_;
};

// An answer to a scrape.
Response metrics_response(const MetricsSample& sample);

}  // namespace escapement::http
