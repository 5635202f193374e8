#include <escapement/middleware/observe/trace.h>

namespace escapement::http {

namespace {

// Reports the end of the request, however the frame that holds this ends.
class Span {
 public:
  Span(Reactor& reactor, const std::function<void(const TraceEvent&)>& sink, std::string what)
      : reactor_(reactor), sink_(sink), what_(std::move(what)), began_(reactor.precise_now()) {
    report(TraceEvent::Kind::started, began_, 0, nullptr);
  }
  Span(const Span&) = delete;
  ~Span() {
    if (ended_) return;
    auto tell = [this] { report(TraceEvent::Kind::cancelled, reactor_.precise_now(), 0, nullptr); };
    (void)escapement::detail::catching(tell);
  }

  void end(const Result<Response>& outcome) {
    ended_ = true;
    const Instant now = reactor_.precise_now();
    if (outcome) {
      report(TraceEvent::Kind::answered, now, outcome->status, nullptr);
    } else {
      report(TraceEvent::Kind::failed, now, 0, &outcome.error());
    }
  }

 private:
  void report(TraceEvent::Kind kind, Instant at, int status, const Error* error) {
    sink_(TraceEvent{kind, at, began_, what_, status, error});
  }

  Reactor& reactor_;
  const std::function<void(const TraceEvent&)>& sink_;
  std::string what_;
  Instant began_;
  bool ended_ = false;
};

}  // namespace

Task<Response> Trace::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  Span span(reactor, sink, std::string(request.method.text()) + ' ' + request.url.without_credentials());
  Result<Response> outcome = co_await next(std::move(request)).result();
  span.end(outcome);
  co_return std::move(outcome);
}

}  // namespace escapement::http
