// The measurement of esc-timers in a JavaScript host, called by hosts.mjs.

#include <charconv>
#include <vector>

#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/runtime.h>
#include <escapement/wasm_glue/worker.h>

using namespace escapement;

namespace {

struct Job {
  std::int64_t target_us = 0;
  std::int64_t count = 0;
  std::int64_t at_once = 1;
};

// Parses "TARGET_US COUNT AT_ONCE".
Job parse(const std::string& text) {
  Job job;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::int64_t* number : {&job.target_us, &job.count, &job.at_once}) {
    at = std::from_chars(at, end, *number).ptr;
    while (at != end && *at == ' ') ++at;
  }
  return job;
}

// Measures by the module's own clock, which is the host's, read before arming and after waking.
Task<> repeated(Duration length, std::int64_t& left, std::vector<std::int64_t>& late_ns) {
  Reactor& reactor = co_await this_reactor;
  while (left > 0) {
    --left;
    const Instant deadline = reactor.precise_now() + length;
    co_await sleep(length);
    late_ns.push_back((reactor.precise_now() - deadline).count());
  }
}

// Returns how late each timer was, in tenths of a microsecond, separated by spaces.
Task<std::string> lateness(std::string input) {
  Reactor& reactor = co_await this_reactor;
  const Job job = parse(input);
  std::int64_t left = job.count;
  std::vector<std::int64_t> late_ns;
  Scope scope(reactor);
  for (std::int64_t i = 0; i < job.at_once; ++i) {
    // Spread over the first target's time, so that they do not expire together.
    const Duration more = Duration(std::chrono::microseconds(job.target_us)) * i / job.at_once / 8;
    scope.spawn(repeated(Duration(std::chrono::microseconds(job.target_us)) + more, left, late_ns));
  }
  co_await scope.join();
  std::string text;
  for (std::int64_t ns : late_ns) {
    // Rounded down, so that early timers stay early.
    text += std::to_string(ns >= 0 ? ns / 100 : -((99 - ns) / 100)) + ' ';
  }
  co_return text;
}

// In a Worker, requests start the measurement: /?job=TARGET_US+COUNT+AT_ONCE
Task<http::Response> handle(http::Request request) {
  std::string text = co_await lateness(request.url.query_parameter("job"));
  co_return http::Response(200, std::move(text));
}

}  // namespace

ESC_TASK(lateness)
ESC_WORKER(handle)
