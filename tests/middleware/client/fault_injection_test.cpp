// FaultInjection: each fault, its share, and that a seed repeats it.

#include <escapement/middleware/client/fault_injection.h>

#include <catch2/catch_test_macros.hpp>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;

namespace {

// The outcomes of `count` calls in a row, in a word each.
std::vector<std::string> outcomes(const FaultInjection& faults, int count, int* called = nullptr) {
  Sim sim;
  int calls = 0;
  const Service service = layered(faults, Service([&calls](Request) -> Task<Response> {
                                    ++calls;
                                    co_return Response(200, std::string(1000, 'x'));
                                  }));
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) {
    const Duration before = sim.elapsed();
    Answer answer = *sim.run(ask(service, get("http://h/")));
    std::string word =
        answer.status != 0 ? std::to_string(answer.status) : answer.error.substr(0, answer.error.find(':'));
    if (sim.elapsed() > before) word += " late";
    all.push_back(word);
  }
  if (called != nullptr) *called = calls;
  return all;
}

FaultOptions only(double FaultOptions::* fault, double share) {
  FaultOptions options;
  options.*fault = share;
  return options;
}

}  // namespace

TEST_CASE("fault injection: each fault at 1 befalls every call, at 0 none") {
  int called = 0;
  CHECK(outcomes(FaultInjection(FaultOptions()), 1) == std::vector<std::string>{"200"});
  CHECK(outcomes(FaultInjection(only(&FaultOptions::delayed, 1)), 1) == std::vector<std::string>{"200 late"});
  CHECK(outcomes(FaultInjection(only(&FaultOptions::refused, 1)), 1, &called) ==
        std::vector<std::string>{"unavailable"});
  CHECK(called == 0);
  CHECK(outcomes(FaultInjection(only(&FaultOptions::lost, 1)), 1, &called) ==
        std::vector<std::string>{"reset"});
  CHECK(called == 1);
  CHECK(outcomes(FaultInjection(only(&FaultOptions::failed, 1)), 1, &called) ==
        std::vector<std::string>{"503"});
  CHECK(called == 0);
  CHECK(outcomes(FaultInjection(only(&FaultOptions::truncated, 1)), 1) == std::vector<std::string>{"reset"});
}

TEST_CASE("fault injection: a share is kept, a seed repeats it, and copies draw from one sequence") {
  FaultOptions options = only(&FaultOptions::refused, 0.25);
  const std::vector<std::string> first = outcomes(FaultInjection(options), 4000);
  const auto refused = std::ranges::count(first, "unavailable");
  CHECK(refused > 900);
  CHECK(refused < 1100);
  CHECK(outcomes(FaultInjection(options), 4000) == first);
  options.seed = 2;
  CHECK(outcomes(FaultInjection(options), 4000) != first);
  options.seed = 1;
  options.lost = 0.5;  // another fault does not move this one
  const std::vector<std::string> both = outcomes(FaultInjection(options), 4000);
  for (std::size_t i = 0; i < both.size(); ++i)
    CHECK((both[i] == "unavailable") == (first[i] == "unavailable"));
  const FaultInjection original(only(&FaultOptions::refused, 0.25));
  const FaultInjection copy = original;
  std::vector<std::string> shared = outcomes(original, 2000);
  for (const std::string& each : outcomes(copy, 2000)) shared.push_back(each);
  CHECK(shared == first);
}
