#include <escapement/middleware/observe/tracer.h>

#include <algorithm>

#include <escapement/io/http/progress.h>
#include <escapement/middleware/observe/detail/counted_body.h>

namespace escapement::http {

namespace {

constexpr std::string_view redacted = "REDACTED";

std::string_view phase_name(TimeLimit what) {
  switch (what) {
    case TimeLimit::queue: return "queue";
    case TimeLimit::resolve: return "dns";
    case TimeLimit::connect: return "connect";
    case TimeLimit::handshake: return "tls";
    case TimeLimit::write: return "write";
    case TimeLimit::head: return "wait";
    case TimeLimit::body: return "read";
    default: return "";
  }
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [name](const std::string& other) { return equal_ignoring_case(name, other); });
}

template <std::size_t n>
void draw(Random& random, std::array<std::uint8_t, n>& id) {
  for (std::size_t at = 0; at < n; at += 8) {
    const std::uint64_t bits = random.next() | 1;  // not all zero
    for (std::size_t i = 0; i < 8; ++i) id[at + i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i) & 0xff);
  }
}

bool draw_share(Random& random, double share) {
  constexpr double numbers = 1ULL << 53;
  return static_cast<double>(random.next() >> 11) < share * numbers;
}

}  // namespace

class Tracer::State {
 public:
  State(std::shared_ptr<SpanSink> s, TracerOptions o) : sink(std::move(s)), options(std::move(o)) {
    ESC_CHECK(sink != nullptr);
    ESC_CHECK(options.sampled >= 0 && options.sampled <= 1);
  }

  // Begins the span of a request, in the trace that it brings or a new one.
  Span begin(const Request& request, Random& random) const {
    Span span;
    const bool attempt = request.attempt > 0;
    std::optional<TraceContext> parent;
    if (options.trusts_peer || attempt)
      parent = TraceContext::parse(request.headers.get_or("traceparent", ""));
    if (request.headers.count("traceparent") > 1) parent.reset();
    if (parent) {
      span.context = *parent;
      span.parent = parent->span_id;
      span.trace_state = request.headers.joined("tracestate").value_or(std::string());
    } else {
      draw(random, span.context.trace_id);
      span.context.sampled = draw_share(random, options.sampled);
    }
    draw(random, span.context.span_id);
    span.kind = options.kind;
    span.local_root = !parent || options.kind == Span::Kind::server;
    span.name = attempt ? "attempt " + std::to_string(request.attempt) : std::string(request.method.text());
    return span;
  }

  void describe(const Request& request, Span& span) const {
    span.attributes.emplace_back("http.request.method", std::string(request.method.text()));
    span.attributes.emplace_back("url.full", without_secrets(request.url));
    span.attributes.emplace_back("server.address", request.url.host());
    span.attributes.emplace_back("server.port", std::int64_t{request.url.port()});
    if (request.attempt > 1) {
      span.attributes.emplace_back("http.request.resend_count", std::int64_t{request.attempt - 1});
    }
    const std::string_view peer = request.peer();
    if (!peer.empty()) span.attributes.emplace_back("client.address", std::string(peer));
    for (const std::string& name : options.recorded_headers) {
      std::optional<std::string> value = request.headers.joined(name);
      if (!value) continue;
      if (contains(options.secret_headers, name)) *value = redacted;
      span.attributes.emplace_back("http.request.header." + lower(name), *std::move(value));
    }
  }

  // Sinks run in destructors too.
  void tell(const Span& span) const {
    auto add = [this, &span] { sink->add(span); };
    (void)escapement::detail::catching(add);
  }

  std::shared_ptr<SpanSink> sink;
  TracerOptions options;

 private:
  std::string without_secrets(const Url& url) const {
    std::string text = url.origin() + url.path();
    if (!url.has_query()) return text;
    char before = '?';
    std::string_view query = url.query();
    while (true) {
      const std::size_t end = std::min(query.find('&'), query.size());
      const std::string_view pair = query.substr(0, end);
      const std::string_view name = pair.substr(0, pair.find('='));
      text += before;
      if (contains(options.secret_parameters, percent_decoded(name)) && name.size() < pair.size()) {
        text.append(name).append("=").append(redacted);
      } else {
        text += pair;
      }
      if (end == query.size()) return text;
      query.remove_prefix(end + 1);
      before = '&';
    }
  }
};

// The span of one request, first in its frame, then with the response's body.
class Tracer::Recorder final : public BodyAttachment, public CallObserver {
 public:
  Recorder(std::shared_ptr<const State> state, Reactor& reactor, Request& request, Span span)
      : state_(std::move(state)), reactor_(reactor), span_(std::move(span)), began_(reactor.precise_now()) {
    span_.began_ns = reactor.backend().system_now().unix_milliseconds() * 1'000'000;
    state_->describe(request, span_);
    head_only_ = request.method == Method::head();
    if (!request.progress) request.progress = std::make_shared<CallProgress>();
    progress_ = request.progress;
    progress_->observe(*this);
  }
  Recorder(const Recorder&) = delete;
  ~Recorder() override {
    inner_ = Body();  // parts end before the whole
    stop_observing();
    end_phase();
    if (!ended_) fail("cancelled", {});
    if (count_) {
      span_.attributes.emplace_back("http.response.body.size", static_cast<std::int64_t>(count_->bytes));
      if (!count_->whole && !span_.failed) fail("incomplete", "the body was not read to its end");
    }
    span_.duration = reactor_.precise_now() - began_;
    state_->tell(span_);
  }

  void failed(const Error& error) {
    fail(std::string(name(error.code())), to_string(error));
    ended_ = true;
  }
  void responded(Response& response) {
    ended_ = true;
    stop_observing();
    end_phase();
    span_.attributes.emplace_back("http.response.status_code", std::int64_t{response.status});
    const int least = span_.kind == Span::Kind::server ? 500 : 400;
    if (response.status >= least) fail(std::to_string(response.status), {});
    if (response.body.replayable()) inner_.take_attachments(response.body);
    if (head_only_ || !may_have_content(response.status)) return;
    count_ = count(response.body);
    if (reports_) begin_phase(TimeLimit::body);
  }

 private:
  void call_waits_for(TimeLimit what) override {
    if (!phase_name(what).empty()) reports_ = true;
    if (what == phase_) return;
    end_phase();
    begin_phase(what);
  }
  void begin_phase(TimeLimit what) {
    phase_ = what;
    phase_began_ = reactor_.precise_now();
  }
  void end_phase() {
    const std::string_view name = phase_name(std::exchange(phase_, TimeLimit::none));
    if (name.empty()) return;
    Span phase;
    phase.context = span_.context;
    draw(reactor_.random(), phase.context.span_id);
    phase.parent = span_.context.span_id;
    phase.name = name;
    phase.began_ns = span_.began_ns + (phase_began_ - began_).count();
    phase.duration = reactor_.precise_now() - phase_began_;
    state_->tell(phase);
  }
  void stop_observing() {
    if (progress_ == nullptr) return;
    progress_->stop_observing(*this);
    progress_.reset();
  }
  void fail(std::string kind, std::string why) {
    span_.failed = true;
    span_.error = std::move(why);
    span_.attributes.emplace_back("error.type", std::move(kind));
  }

  std::shared_ptr<const State> state_;
  Reactor& reactor_;
  Span span_;
  Instant began_;
  std::shared_ptr<CallProgress> progress_;
  TimeLimit phase_ = TimeLimit::none;
  Instant phase_began_;
  bool reports_ = false;  // something inside reports what it waits for
  bool ended_ = false;
  bool head_only_ = false;
  Body inner_;  // holds the attachments of the layers inside, such as other recorders
  std::shared_ptr<const BodyCount> count_;
};

Tracer::Tracer(std::shared_ptr<SpanSink> sink, TracerOptions options)
    : state_(std::make_shared<const State>(std::move(sink), std::move(options))) {}

Task<Response> Tracer::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<const State> state = state_;
  Span span = state->begin(request, reactor.random());
  request.headers.set("traceparent", span.context.text());
  if (!span.parent) request.headers.remove("tracestate");
  if (!span.context.sampled) co_return co_await next(std::move(request));
  auto recorder = std::make_unique<Recorder>(state, reactor, request, std::move(span));
  Result<Response> outcome = co_await next(std::move(request)).result();
  if (!outcome) {
    recorder->failed(outcome.error());
    co_await std::move(outcome).error();
  }
  recorder->responded(*outcome);
  outcome->body.attach(std::move(recorder));
  co_return std::move(outcome);
}

void continue_trace(const Request& incoming, Request& outgoing) {
  for (const char* name : {"traceparent", "tracestate"}) {
    const std::optional<std::string> value = incoming.headers.joined(name);
    outgoing.headers.remove(name);
    if (value) outgoing.headers.set(name, *value);
  }
}

}  // namespace escapement::http
