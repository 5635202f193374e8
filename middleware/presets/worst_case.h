// worst_case: the most requests and the longest time that one call of a stack can cause, found by simulation.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <escapement/io/http/service.h>

namespace escapement::http {

// One way in which the innermost service may respond.
class PeerOutcome {
 public:
  PeerOutcome(std::string n, std::function<Task<Response>(const Request&)> r)
      : name(std::move(n)), respond(std::move(r)) {}
  std::string name;                                       // "503 Retry-After: 2"
  std::function<Task<Response>(const Request&)> respond;  // makes it happen
};

// Returns those that make layers send again, wait or stop: 200, 500, 503 with and without a wait, 429, 401, a
// redirect, a refused connection, a connection that breaks, no response at all.
std::vector<PeerOutcome> usual_outcomes();

// Returns a response with a strong ETag whose body breaks off after its first byte: 200, or 206 to a request
// with a Range. For stacks with Resume; it is not among the usual ones, whose combinations it would multiply.
PeerOutcome body_breaks();

// The outcomes to try, and how many combinations of them.
class WorstCaseOptions {
 public:
  Request (*request)() = [] { return get("http://peer.test/"); };  // that is sent
  std::vector<PeerOutcome> outcomes = usual_outcomes();            // that each request may have
  std::size_t runs_max = 20'000;   // simulations; with more to try, the result is not complete
  std::size_t requests_max = 500;  // a call that sends more has no end
  Duration time_max = 24h;         // a call that takes longer has no end
};

// The findings.
class WorstCase {
 public:
  std::size_t requests = 0;              // the most that reached the innermost service
  std::vector<std::string> requests_by;  // the outcomes that led to it, by name
  Duration time;                         // the longest until the end of the body or the failure
  std::vector<std::string> time_by;      // the outcomes that led to it
  bool endless = false;                  // a call had no end within the options' bounds: `time` is that bound
  bool complete = false;                 // all combinations of the outcomes were tried
  std::size_t runs = 0;                  // simulations
};

// Makes a stack around `peer` anew for each simulation, so that budgets and counts begin afresh, calls it,
// reads the response's body to its end, and lets the peer's requests have every combination of outcomes,
// depth first. In each combination a request may have another outcome than the one before it; a combination
// ends where the call does. Jitter is drawn from the same seed in each run, so a time with jitter is that of
// one draw: say `jitter=none` for the bound.
//
// Takes no time of a clock: all of it is simulated. Runs a reactor of its own, so it must not be called from
// a task.
WorstCase worst_case(const std::function<Service(Service peer)>& stack, WorstCaseOptions options = {});

}  // namespace escapement::http
