#include <escapement/middleware/observe/metrics.h>

#include <cstdio>

#include <escapement/middleware/observe/detail/counted_body.h>
#include <escapement/middleware/observe/detail/logged_status.h>

namespace escapement::http {

using Kind = MetricsSample::Kind;

struct Metrics::State {
  struct Source {
    Source(MetricsSample::Reading h, std::function<double()> r) : head(std::move(h)), read(std::move(r)) {}
    MetricsSample::Reading head;
    std::function<double()> read;
  };
  MetricsSample figures;
  std::vector<Source> sources;
};

namespace {

// Limits the labels to known methods: a client can invent methods, and the number of series must not grow
// with them.
std::string_view method_label(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    if (method == known) return known;
  }
  return "other";
}

// A request in flight. Counted when this is destroyed, however that happens.
class InFlight final : public BodyAttachment {
 public:
  InFlight(std::shared_ptr<MetricsSample> figures, Reactor& reactor, std::string_view method)
      : figures_(std::move(figures)), reactor_(reactor), began_(reactor.precise_now()), method_(method) {
    ++figures_->in_flight;
  }
  ~InFlight() override {
    --figures_->in_flight;
    const Duration duration = reactor_.precise_now() - began_;
    std::size_t bucket = 0;
    while (bucket < MetricsSample::bucket_ends_ms.size() &&
           duration.milliseconds() > MetricsSample::bucket_ends_ms[bucket]) {
      ++bucket;
    }
    ++figures_->durations[bucket];
    figures_->duration_seconds_sum += duration.seconds();
    if (count_) figures_->response_bytes += count_->bytes;
    auto count = [this] { ++figures_->requests[{std::string(method_), status_}]; };
    (void)escapement::detail::catching(count);  // a new series needs memory
  }

  void failed(const Error& error) { status_ = logged_status(error); }
  void answered(Response& response) {
    status_ = response.status;
    if (method_ != "HEAD") count_ = count(response.body);
  }

 private:
  std::shared_ptr<MetricsSample> figures_;
  Reactor& reactor_;
  Instant began_;
  std::string_view method_;
  int status_ = 499;
  std::shared_ptr<const BodyCount> count_;
};

bool is_metric_name(std::string_view name) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:";
  return !name.empty() && letters.find(name[0]) != letters.npos &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789") ==
             name.npos;
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

void append_head(std::string& to, std::string_view name, std::string_view help, std::string_view type) {
  ((to += "# HELP ") += name) += ' ';
  for (const char c : help) {
    if (c == '\\')
      to += "\\\\";
    else if (c == '\n')
      to += "\\n";
    else
      to += c;
  }
  (((to += "\n# TYPE ") += name) += ' ') += type;
  to += '\n';
}

void append_histogram(std::string& to, const MetricsSample& sample) {
  constexpr std::string_view name = "http_request_duration_seconds";
  append_head(to, name, "Time from a request's head to the end of its response.", "histogram");
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < sample.durations.size(); ++i) {
    count += sample.durations[i];
    const bool last = i == MetricsSample::bucket_ends_ms.size();
    const std::string end = last ? "+Inf" : number(MetricsSample::bucket_ends_ms[i] / 1000);
    ((to += name) += "_bucket{le=\"" + end + "\"} ") += std::to_string(count) + '\n';
  }
  ((to += name) += "_sum ") += number(sample.duration_seconds_sum) + '\n';
  ((to += name) += "_count ") += std::to_string(count) + '\n';
}

}  // namespace

void MetricsSample::add(const MetricsSample& other) {
  for (const auto& [key, count] : other.requests) requests[key] += count;
  in_flight += other.in_flight;
  for (std::size_t i = 0; i < durations.size(); ++i) durations[i] += other.durations[i];
  duration_seconds_sum += other.duration_seconds_sum;
  response_bytes += other.response_bytes;
  for (const Reading& reading : other.readings) {
    Reading* same = nullptr;
    for (Reading& own : readings) {
      if (own.name == reading.name) same = &own;
    }
    if (same != nullptr) {
      same->value += reading.value;
    } else {
      readings.push_back(reading);
    }
  }
}

std::string MetricsSample::text() const {
  std::string text;
  append_head(text, "http_requests_total", "Requests by method and status.", "counter");
  for (const auto& [key, count] : requests) {
    text += "http_requests_total{method=\"" + key.first + "\",status=\"" + std::to_string(key.second) +
            "\"} " + std::to_string(count) + '\n';
  }
  append_head(text, "http_requests_in_flight", "Requests in flight.", "gauge");
  text += "http_requests_in_flight " + std::to_string(in_flight) + '\n';
  append_histogram(text, *this);
  append_head(text, "http_response_bytes_total", "Bytes of response bodies.", "counter");
  text += "http_response_bytes_total " + std::to_string(response_bytes) + '\n';
  for (const Reading& reading : readings) {
    append_head(text, reading.name, reading.help, reading.kind == Kind::counter ? "counter" : "gauge");
    text += reading.name + ' ' + number(reading.value) + '\n';
  }
  return text;
}

Metrics::Metrics() : state_(std::make_shared<State>()) {}

void Metrics::refused(const Refusal& refusal) const { ++state_->figures.requests[{"none", refusal.status}]; }

Task<Response> Metrics::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  std::shared_ptr<MetricsSample> figures(state_, &state_->figures);
  auto in_flight =
      std::make_unique<InFlight>(std::move(figures), reactor, method_label(request.method.text()));
  Result<Response> outcome = co_await next(std::move(request)).result();
  if (!outcome) {
    in_flight->failed(outcome.error());
    co_return std::move(outcome);
  }
  in_flight->answered(*outcome);
  outcome->body.attach(std::move(in_flight));
  co_return std::move(outcome);
}

void Metrics::add(std::string name, std::string help, Kind kind, std::function<double()> read) const {
  ESC_CHECK(is_metric_name(name));
  state_->sources.emplace_back(MetricsSample::Reading(std::move(name), std::move(help), kind, 0),
                               std::move(read));
}

MetricsSample Metrics::sample() const {
  MetricsSample sample = state_->figures;
  for (const State::Source& source : state_->sources) {
    sample.readings.push_back(source.head);
    sample.readings.back().value = source.read();
  }
  return sample;
}

Service Metrics::page() const {
  return [metrics = *this](Request) -> Task<Response> { co_return metrics_response(metrics.sample()); };
}

Response metrics_response(const MetricsSample& sample) {
  return Response(200, Headers{{"Content-Type", Metrics::content_type}}, sample.text());
}

}  // namespace escapement::http
