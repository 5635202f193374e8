// CircuitBreaker: stops calling a service that fails, and tries it again after a pause.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/retry_policy.h>

namespace escapement::http {

// Returns whether an outcome speaks against the service: an Error of kind unavailable, reset, timed_out,
// bad_message, untrusted, overloaded or internal, or a status of 500, 502, 503, 504, 520 to 524. Not 429,
// which speaks against the caller.
bool speaks_against_service(const Attempt& attempt);

// The states of a circuit. `open` refuses all calls, `half_open` lets a single one through.
enum class CircuitState { closed, open, half_open };

// Returns "closed", "open" or "half-open".
std::string_view name(CircuitState state);

// The numbers of a CircuitBreaker.
class CircuitBreakerOptions {
 public:
  double failure_ratio = 0.5;   // the share of failures that opens the circuit, above 0 and up to 1 (checked)
  std::size_t calls_min = 20;   // fewer calls in the window never open it; at least 1
  Duration window = 10s;        // the time over which outcomes count; at least 10 ms (checked)
  Duration pause = 5s;          // the time for which the circuit stays open first; above zero (checked)
  Duration pause_max = 60s;     // the pause doubles with each trial that fails, up to this
  std::size_t keys_max = 1000;  // circuits remembered; beyond that the least recently used is forgotten
  // The circuit that a request belongs to. Empty: the origin of its URL.
  std::function<std::string(const Request&)> key = {};
  // Says whether an outcome counts as a failure. Empty: speaks_against_service. A call that its caller gives
  // up counts neither way.
  std::function<bool(const Attempt&)> failed = {};
  // Called when a circuit changes its state, within the task that changed it. May be empty.
  std::function<void(const std::string& key, CircuitState state)> observer = {};
};

// One circuit for each key. It opens when, of at least `calls_min` outcomes within the last `window`, at
// least `failure_ratio` are failures. While it is open, calls fail at once with Errc::unavailable: nothing
// was sent, and the message names the circuit and the time that is left. After the pause the next call is a
// trial, beside which all others are refused: if it succeeds the circuit closes and counts anew, if it fails
// the circuit stays open for twice as long. A trial that is given up leaves its place to the next call.
//
// An outcome is known with the response's head; a body that breaks off later does not count. The window has
// ten parts, so an outcome counts for 90 to 100 % of its length. Needs no timer: states follow from the clock
// at the next call.
//
//     const Service api = layered(Retry{}, CircuitBreaker(), Timeout{2s}, client);
//
// Outside a Retry it counts calls, inside each attempt. Copies share the circuits, which belong to one
// reactor's thread. Sources: M. Nygard, "Release It!"; the defaults of Polly.
class CircuitBreaker {
 public:
  // Makes circuits that copies share.
  explicit CircuitBreaker(CircuitBreakerOptions options = CircuitBreakerOptions());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the state of the circuit `key` at `now`; closed for one that is not known.
  CircuitState state(const std::string& key, Instant now) const;

 private:
  class Circuits;

  std::shared_ptr<Circuits> circuits_;
};

}  // namespace escapement::http
