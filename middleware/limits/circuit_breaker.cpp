#include <escapement/middleware/limits/circuit_breaker.h>

#include <algorithm>
#include <array>
#include <list>
#include <unordered_map>

namespace escapement::http {

namespace {

// Successes and failures of the last `window`, in ten parts of it.
class OutcomeWindow {
 public:
  explicit OutcomeWindow(Duration window) : part_length_(window / 10) {}

  void add(bool failed, Instant now) {
    turn_to(now);
    Part& part = parts_[at_];
    ++(failed ? part.failures : part.successes);
  }
  bool reaches(double ratio, std::size_t calls_min, Instant now) {
    turn_to(now);
    std::uint64_t failures = 0;
    std::uint64_t calls = 0;
    for (const Part& part : parts_) {
      failures += part.failures;
      calls += part.failures + part.successes;
    }
    return calls >= calls_min && static_cast<double>(failures) >= ratio * static_cast<double>(calls);
  }
  void clear() { parts_ = {}; }

 private:
  struct Part {
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;
  };

  void turn_to(Instant now) {
    for (std::size_t turned = 0; now >= ends_ && turned < parts_.size(); ++turned) {
      at_ = (at_ + 1) % parts_.size();
      parts_[at_] = Part();
      ends_ = ends_ + part_length_;
    }
    if (now >= ends_) ends_ = now + part_length_;  // all parts are empty now
  }

  Duration part_length_;
  Instant ends_;  // of the present part
  std::size_t at_ = 0;
  std::array<Part, 10> parts_{};
};

}  // namespace

bool speaks_against_service(const Attempt& attempt) {
  if (const Error* const error = attempt.error()) {
    switch (error->code()) {
      case Errc::unavailable:
      case Errc::reset:
      case Errc::timed_out:
      case Errc::bad_message:
      case Errc::untrusted:
      case Errc::overloaded:
      case Errc::internal: return true;
      default: return false;
    }
  }
  const int status = attempt.response()->status;
  return status == 500 || (status >= 502 && status <= 504) || (status >= 520 && status <= 524);
}

std::string_view name(CircuitState state) {
  switch (state) {
    case CircuitState::closed: return "closed";
    case CircuitState::open: return "open";
    case CircuitState::half_open: return "half-open";
  }
  return {};
}

class CircuitBreaker::Circuits {
 public:
  explicit Circuits(CircuitBreakerOptions options) : options_(std::move(options)) {
    ESC_CHECK(options_.failure_ratio > 0 && options_.failure_ratio <= 1);
    ESC_CHECK(options_.window >= Duration(10ms));
    ESC_CHECK(options_.pause > Duration());
    options_.pause_max = std::max(options_.pause, options_.pause_max);
    options_.calls_min = std::max<std::size_t>(1, options_.calls_min);
    options_.keys_max = std::max<std::size_t>(1, options_.keys_max);
    if (!options_.key) options_.key = [](const Request& request) { return request.url.origin(); };
    if (!options_.failed) options_.failed = speaks_against_service;
  }

  struct Circuit {
    Circuit(std::string circuit_key, const CircuitBreakerOptions& options)
        : key(std::move(circuit_key)), outcomes(options.window), pause(options.pause) {}
    std::string key;
    OutcomeWindow outcomes;
    CircuitState state = CircuitState::closed;
    Instant open_until;
    Duration pause;           // the next one
    bool on_trial = false;    // a call is under way whose outcome decides
    std::uint64_t turns = 0;  // counts the changes of state: outcomes of calls from before do not count
  };
  using Reference = std::shared_ptr<Circuit>;

  // Returns the circuit of a request.
  Reference find(const Request& request) {
    std::string key = options_.key(request);
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) {
      by_use_.splice(by_use_.begin(), by_use_, found->second);
      return by_use_.front();
    }
    if (by_key_.size() == options_.keys_max) {
      by_key_.erase(by_use_.back()->key);
      by_use_.pop_back();
    }
    by_use_.push_front(std::make_shared<Circuit>(std::move(key), options_));
    by_key_.emplace(by_use_.front()->key, by_use_.begin());
    return by_use_.front();
  }
  // Looks without counting it as a use.
  const Circuit* look(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second->get();
  }

  // Lets a call through, or returns why not.
  std::optional<Error> admit(Circuit& circuit, Instant now) {
    if (circuit.state == CircuitState::closed) return std::nullopt;
    if (now >= circuit.open_until && !circuit.on_trial) {
      circuit.on_trial = true;
      change(circuit, CircuitState::half_open);
      return std::nullopt;
    }
    std::string why = "the circuit of " + circuit.key + " is " + std::string(name(circuit.state));
    if (now < circuit.open_until) {
      const std::int64_t left =
          (circuit.open_until - now + Duration(1ms) - Duration::nanoseconds(1)) / Duration(1ms);
      why += " for another " + std::to_string(left) + " ms";
    }
    return Error(Errc::unavailable, std::move(why)).nothing_sent();
  }

  void note(Circuit& circuit, bool failed, Instant now) {
    if (circuit.state == CircuitState::closed) {
      circuit.outcomes.add(failed, now);
      if (failed && circuit.outcomes.reaches(options_.failure_ratio, options_.calls_min, now))
        open(circuit, now);
      return;
    }
    circuit.on_trial = false;
    if (failed) return open(circuit, now);
    circuit.outcomes.clear();
    circuit.pause = options_.pause;
    change(circuit, CircuitState::closed);
  }

  bool failed(const Attempt& attempt) const { return options_.failed(attempt); }

 private:
  void open(Circuit& circuit, Instant now) {
    circuit.open_until = now + circuit.pause;
    circuit.pause = std::min(circuit.pause + circuit.pause, options_.pause_max);
    change(circuit, CircuitState::open);
  }
  void change(Circuit& circuit, CircuitState state) {
    ++circuit.turns;
    if (std::exchange(circuit.state, state) == state) return;
    if (options_.observer) options_.observer(circuit.key, state);
  }

  CircuitBreakerOptions options_;
  std::list<Reference> by_use_;  // the most recently used first
  std::unordered_map<std::string_view, std::list<Reference>::iterator> by_key_;  // keys live in the circuits
};

namespace {

// A call that was let through. If it goes without an outcome, it leaves its place to the next.
class Passage {
 public:
  explicit Passage(bool& on_trial) : on_trial_(on_trial) {}
  Passage(const Passage&) = delete;
  ~Passage() {
    if (given_up_) on_trial_ = false;
  }
  void over() { given_up_ = false; }

 private:
  bool& on_trial_;
  bool given_up_ = true;
};

}  // namespace

CircuitBreaker::CircuitBreaker(CircuitBreakerOptions options)
    : circuits_(std::make_shared<Circuits>(std::move(options))) {}

CircuitState CircuitBreaker::state(const std::string& key, Instant now) const {
  const Circuits::Circuit* const circuit = circuits_->look(key);
  if (circuit == nullptr) return CircuitState::closed;
  const bool due = circuit->state == CircuitState::open && now >= circuit->open_until;
  return due ? CircuitState::half_open : circuit->state;
}

Task<Response> CircuitBreaker::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<Circuits> circuits = circuits_;
  const Circuits::Reference circuit = circuits->find(request);
  std::optional<Error> refused = circuits->admit(*circuit, reactor.now());
  if (refused) co_return *std::move(refused);
  const std::uint64_t turn = circuit->turns;
  bool unused = false;  // a call of a closed circuit holds no place
  Passage passage(circuit->on_trial ? circuit->on_trial : unused);
  Result<Response> outcome = co_await next(std::move(request)).result();
  passage.over();
  const bool given_up = !outcome && outcome.error() == Errc::cancelled;
  if (turn != circuit->turns) co_return std::move(outcome);
  if (given_up) {
    circuit->on_trial = false;
    co_return std::move(outcome);
  }
  circuits->note(*circuit, circuits->failed(outcome ? Attempt(*outcome) : Attempt(outcome.error())),
                 reactor.now());
  co_return std::move(outcome);
}

}  // namespace escapement::http
