#include <escapement/middleware/presets/worst_case.h>

#include <algorithm>

#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

PeerOutcome status(int number, Headers headers = {}) {
  std::string name = std::to_string(number);
  headers.each([&](std::string_view field, std::string_view value) {
    name += ' ' + std::string(field) + ": " + std::string(value);
  });
  return PeerOutcome(name, [number, headers](const Request&) -> Task<Response> {
    co_return Response(number, headers, Body());
  });
}

PeerOutcome failure(std::string name, Error error) {
  return PeerOutcome(std::move(name), [error](const Request&) -> Task<Response> { co_return error; });
}

Task<Response> never() {
  co_await sleep(Duration::max());
  co_return Response(200);
}

// The bytes of a body that breaks off after the first of them.
class BrokenSource final : public BodySource {
 public:
  Task<std::string> read() override {
    if (std::exchange(begun_, true)) co_return Error(Errc::reset, "connection reset");
    co_return "x";
  }

 private:
  bool begun_ = false;
};

// Yields a response whose body breaks: of a representation of 1000 bytes, from the byte that is asked for on.
Task<Response> broken_body(std::string range) {
  Response response(200, Headers{{"ETag", "\"v\""}}, Body());
  if (range.starts_with("bytes=")) {
    response.status = 206;
    const std::string first = range.substr(6, range.find('-') - 6);
    response.headers.set("Content-Range", "bytes " + first + "-999/1000");
  }
  response.body = Body(std::make_unique<BrokenSource>());
  co_return std::move(response);
}

// Calls a service, and reads the body to its end.
Task<> whole_call(const Service& service, Request request) {
  Response response = co_await service(std::move(request));
  for (;;) {
    const std::string bytes = co_await response.body.read();
    if (bytes.empty()) co_return;
  }
}

// The outcomes of one simulation after another, depth first: each run repeats the choices of the one before
// it, but for the last one that has another value left.
class Choices {
 public:
  explicit Choices(std::size_t values, bool backwards) : values_(values), backwards_(backwards) {}

  // Returns the choice of the next request.
  std::size_t choose() {
    if (at_ == chosen_.size()) chosen_.push_back(0);
    const std::size_t choice = chosen_[at_++];
    return backwards_ ? values_ - 1 - choice : choice;
  }
  std::size_t made() const { return at_; }
  std::size_t made_at(std::size_t i) const { return backwards_ ? values_ - 1 - chosen_[i] : chosen_[i]; }
  // Goes on to the next run. Returns false after the last one.
  bool advance() {
    chosen_.resize(at_);
    at_ = 0;
    while (!chosen_.empty() && chosen_.back() + 1 == values_) chosen_.pop_back();
    if (chosen_.empty()) return false;
    ++chosen_.back();
    return true;
  }

 private:
  std::size_t values_;
  bool backwards_;
  std::vector<std::size_t> chosen_;
  std::size_t at_ = 0;
};

class OutcomeSearch {
 public:
  OutcomeSearch(const std::function<Service(Service)>& stack, const WorstCaseOptions& options)
      : stack_(stack), options_(options) {}

  WorstCase run() {
    for (const bool backwards : {false, true}) {
      Choices choices(options_.outcomes.size(), backwards);
      bool more = !options_.outcomes.empty();
      const std::size_t until = found_.runs + std::max<std::size_t>(1, options_.runs_max / 2);
      while (more && found_.runs < until) {
        simulate(choices);
        more = choices.advance();
      }
      found_.complete = !more;
      if (found_.complete) break;
    }
    return std::move(found_);
  }

 private:
  // Keeps the request for as long as the response is being made.
  static Task<Response> answer(const PeerOutcome& outcome, Request request) {
    Task<Response> responding = outcome.respond(request);
    Response response = co_await std::move(responding);
    co_return std::move(response);
  }
  void simulate(Choices& choices) {
    ++found_.runs;
    Sim sim;
    const auto peer = [this, &choices](Request request) -> Task<Response> {
      if (choices.made() >= options_.requests_max) return never();
      return answer(options_.outcomes[choices.choose()], std::move(request));
    };
    const Service service = stack_(peer);
    Result<> outcome = sim.run(with_timeout(options_.time_max, whole_call(service, options_.request())));
    (void)outcome;
    if (sim.elapsed() >= options_.time_max) found_.endless = true;
    note(choices, sim.elapsed());
  }
  void note(const Choices& choices, Duration time) {
    if (choices.made() > found_.requests) {
      found_.requests = choices.made();
      found_.requests_by = names(choices);
    }
    if (found_.time_by.empty() || time > found_.time) {
      found_.time = time;
      found_.time_by = names(choices);
    }
  }
  std::vector<std::string> names(const Choices& choices) const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < choices.made(); ++i)
      names.push_back(options_.outcomes[choices.made_at(i)].name);
    return names;
  }

  const std::function<Service(Service)>& stack_;
  const WorstCaseOptions& options_;
  WorstCase found_;
};

}  // namespace

std::vector<PeerOutcome> usual_outcomes() {
  return {status(302, Headers{{"Location", "/"}}),
          status(500),
          failure("refused", Error(Errc::unavailable, "connection refused").nothing_sent()),
          failure("reset", Error(Errc::reset, "connection reset")),
          status(401),
          status(503),
          status(429),
          status(503, Headers{{"Retry-After", "60"}}),
          PeerOutcome("no response", [](const Request&) { return never(); }),
          status(200)};
}

PeerOutcome body_breaks() {
  return PeerOutcome("body breaks", [](const Request& request) {
    return broken_body(std::string(request.headers.get_or("range", "")));
  });
}

WorstCase worst_case(const std::function<Service(Service peer)>& stack, WorstCaseOptions options) {
  return OutcomeSearch(stack, options).run();
}

}  // namespace escapement::http
