#include <escapement/middleware/limits/circuit_breaker.h>

#include <algorithm>
#include <list>
#include <unordered_map>

#include <escapement/core/detail/defer.h>
#include <escapement/middleware/limits/detail/recent.h>

namespace escapement::http {

namespace {

struct Outcomes {
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
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
    detail::Recent<Outcomes> outcomes;
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
      Outcomes& outcomes = circuit.outcomes.at(now);
      ++(failed ? outcomes.failures : outcomes.successes);
      if (failed && too_many_failures(circuit, now)) open(circuit, now);
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
  bool too_many_failures(Circuit& circuit, Instant now) const {
    Outcomes sum;
    for (const Outcomes& part : circuit.outcomes.all(now)) {
      sum.failures += part.failures;
      sum.successes += part.successes;
    }
    const std::uint64_t calls = sum.failures + sum.successes;
    if (calls < options_.calls_min) return false;
    return static_cast<double>(sum.failures) >= options_.failure_ratio * static_cast<double>(calls);
  }
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
  const bool on_trial = circuit->on_trial;
  // A trial without an outcome leaves its place to the next call.
  const Defer leave([&circuit = *circuit, on_trial, turn] {
    if (on_trial && circuit.turns == turn) circuit.on_trial = false;
  });
  Result<Response> outcome = co_await next(std::move(request)).result();
  const bool given_up = !outcome && outcome.error() == Errc::cancelled;
  if (given_up || circuit->turns != turn) co_return std::move(outcome);
  const Attempt attempt = outcome ? Attempt(*outcome) : Attempt(outcome.error());
  circuits->note(*circuit, circuits->failed(attempt), reactor.now());
  co_return std::move(outcome);
}

}  // namespace escapement::http
