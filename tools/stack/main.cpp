// esc-stack: prints the most requests and the longest time that one call of a stack can cause.

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>

#include <escapement/middleware/presets/stack_text.h>
#include <escapement/middleware/presets/worst_case.h>
#include <escapement/timers/timeout.h>

#include "tools/command_line.h"

namespace escapement {

namespace {

constexpr const char* description =
    "Prints the most requests and the longest time that one call of a stack of layers can cause. It "
    "enumerates\n"
    "what the peer may do in a simulation: redirects, failures, refusals, silence.\n\n"
    "  esc-stack 'timeout 30s, redirect, retry attempts=3, timeout 10s'\n"
    "  esc-stack resilient --requests-max 40\n\n"
    "Layers, the outermost first: timeout TIME; retry attempts=3 backoff=100ms backoff_max=20s jitter=full\n"
    "server_delay_max=60s any_method budget=RATIO; redirect hops=10; hedge delay=100ms attempts=2;\n"
    "resume requests=10; body_idle TIME; deadline TIME; bearer origin=URL token=TEXT; base URL;\n"
    "balance URL... round_robin; cache validate; call_budget budget=RATIO; tiered_retry; deduplicate;\n"
    "send_deadline margin=TIME; github_limits; github_queue; and, as the last one, the presets resilient "
    "and\n"
    "github. Where a layer resumes bodies, one that breaks off is an outcome too.\n\n"
    "Exit code: 0; 1 if a call has no end, passes --requests-max or --time-max, or may pass them in "
    "combinations\n"
    "that were not tried (--runs); 2 for a mistake.";

// The settings from the command line.
struct Job {
  std::string stack;
  std::int64_t runs_max = 20'000;
  std::int64_t requests_max = 0;  // 0: not checked
  double seconds_max = 0;         // 0: not checked
  bool json = false;
};

// Returns "500, 302 (3 times), 200".
std::string in_short(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size();) {
    std::size_t end = i;
    while (end < names.size() && names[end] == names[i]) ++end;
    if (!text.empty()) text += ", ";
    text += names[i];
    if (end - i > 1) text += " (" + std::to_string(end - i) + " times)";
    i = end;
  }
  return text;
}

void print_text(const http::WorstCase& found, std::uint64_t bound) {
  std::printf("requests  %zu: %s\n", found.requests, in_short(found.requests_by).c_str());
  if (bound != std::numeric_limits<std::uint64_t>::max()) {
    std::printf("          the layers allow no more than %llu\n", static_cast<unsigned long long>(bound));
  }
  if (found.endless) {
    std::printf("time      no end: %s\n", in_short(found.time_by).c_str());
  } else {
    std::printf("time      %s: %s\n", detail::text_of(found.time).c_str(), in_short(found.time_by).c_str());
  }
  std::printf("tried     %zu combinations%s\n", found.runs,
              found.complete ? ", all there are" : "; there are more (--runs)");
}

void print_json(const http::WorstCase& found, std::uint64_t bound) {
  nlohmann::ordered_json json;
  json["requests"] = found.requests;
  json["requests_by"] = found.requests_by;
  const bool bounded = bound != std::numeric_limits<std::uint64_t>::max();
  json["requests_bound"] = bounded ? nlohmann::ordered_json(bound) : nlohmann::ordered_json(nullptr);
  json["seconds"] = static_cast<double>(found.time.count()) / 1e9;
  json["time_by"] = found.time_by;
  json["endless"] = found.endless;
  json["complete"] = found.complete;
  json["runs"] = found.runs;
  std::printf("%s\n", json.dump(2).c_str());
}

// A search that tried everything shows what it found; else, of the requests, their bound may show it.
bool may_pass(const http::WorstCase& found, std::uint64_t bound, const Job& job) {
  if (found.endless) return true;
  const std::uint64_t requests =
      found.complete ? found.requests : std::max<std::uint64_t>(found.requests, bound);
  if (job.requests_max > 0 && requests > static_cast<std::uint64_t>(job.requests_max)) return true;
  if (job.seconds_max > 0 && !found.complete) return true;
  return job.seconds_max > 0 && static_cast<double>(found.time.count()) / 1e9 > job.seconds_max;
}

int run(const Job& job) {
  const http::Service nobody = [](http::Request) -> Task<http::Response> { co_return http::Response(200); };
  const Result<http::StackText> read = http::stack_of(job.stack, nobody);
  if (!read) {
    std::fprintf(stderr, "esc-stack: %s\n", read.error().message().c_str());
    return 2;
  }
  http::WorstCaseOptions options;
  options.runs_max = static_cast<std::size_t>(job.runs_max);
  if (read->resumes) options.outcomes.insert(options.outcomes.begin(), http::body_breaks());
  const auto stack = [&job](http::Service peer) {
    Result<http::StackText> made = http::stack_of(job.stack, std::move(peer));
    return std::move(made->service);
  };
  const http::WorstCase found = http::worst_case(stack, options);
  if (job.json) {
    print_json(found, read->attempts_max);
  } else {
    print_text(found, read->attempts_max);
  }
  return may_pass(found, read->attempts_max, job) ? 1 : 0;
}

}  // namespace

}  // namespace escapement

int main(int count, char** arguments) {
  using namespace escapement;
  Job job;
  CLI::App app(description, "esc-stack");
  CLI::Option* const stack = app.add_option("stack", job.stack, "the layers, between commas");
  app.add_option("--runs", job.runs_max, "simulations at most")->check(whole_number(1, 100'000'000));
  app.add_option("--requests-max", job.requests_max, "exit with 1 if a call may send more")
      ->check(whole_number(1, 1'000'000));
  app.add_option("--time-max", job.seconds_max, "exit with 1 if a call may take more seconds")
      ->check(positive_number());
  app.add_flag("--json", job.json, "print as JSON");
  if (const std::optional<int> code = read_command_line(app, count, arguments, {stack})) return *code;
  return run(job);
}
