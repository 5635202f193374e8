// A mock peer for middleware: a script of answers, and a record of what it was asked and when.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

namespace escapement::test {

// The mock's action for one request: waits, then answers or fails.
struct Step {
  explicit Step(int s, http::Headers h = {}, Duration d = {}) : status(s), headers(std::move(h)), delay(d) {}
  explicit Step(Error e, Duration d = {}) : error(std::move(e)), delay(d) {}
  static Step hang() { return Step(200, {}, Duration::max()); }

  int status = 0;
  http::Headers headers;
  std::optional<Error> error;
  Duration delay;
};

struct Asked {
  std::string what;  // "GET http://h/ body"
  http::Headers headers;
  Duration at;
};

// Plays the steps in order, the last one again for what comes after. Copies share the record.
class MockService {
 public:
  MockService(Sim& sim, std::vector<Step> steps) : state_(std::make_shared<State>(sim, std::move(steps))) {}

  Task<http::Response> operator()(http::Request request) const { return answer(state_, std::move(request)); }

  const std::vector<Asked>& asked() const { return state_->asked; }
  // When each request came, in milliseconds since the start.
  std::vector<double> times() const {
    std::vector<double> times;
    for (const Asked& asked : state_->asked) times.push_back(asked.at.milliseconds());
    return times;
  }
  // Requests that are being answered now.
  int live() const { return state_->live; }

 private:
  struct State {
    State(Sim& s, std::vector<Step> st) : sim(s), steps(std::move(st)) {}
    Sim& sim;
    std::vector<Step> steps;
    std::vector<Asked> asked;
    int live = 0;
  };
  struct Live {
    explicit Live(int& c) : count(c) { ++count; }
    Live(const Live&) = delete;
    ~Live() { --count; }
    int& count;
  };

  static Task<http::Response> answer(std::shared_ptr<State> state, http::Request request) {
    Live live(state->live);
    std::string body = co_await request.body.text(1 * MiB);
    const std::string what =
        std::string(request.method.text()) + ' ' + request.url.text() + (body.empty() ? "" : ' ' + body);
    state->asked.push_back({what, request.headers, state->sim.elapsed()});
    const Step step = state->steps[std::min(state->asked.size(), state->steps.size()) - 1];
    if (step.delay > Duration()) co_await sleep(step.delay);
    if (step.error) co_return *step.error;
    co_return http::Response(step.status, step.headers, "answer " + std::to_string(state->asked.size()));
  }

  std::shared_ptr<State> state_;
};

}  // namespace escapement::test
