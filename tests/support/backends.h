// The backends that this library has: the one list of them for tests. A new one is tested by its name here.

#pragma once

#include <string>
#include <vector>

#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace escapement::test {

// As LoopOptions::backend.
inline std::vector<std::string> backends() { return {"epoll", "poll"}; }

// For tests whose body runs on simulated connections, too.
inline std::vector<std::string> backends_and_sim() {
  std::vector<std::string> all = backends();
  all.push_back("sim");
  return all;
}

}  // namespace escapement::test

// Runs the rest of a test case once for each.
#define ESC_EACH_BACKEND() GENERATE(from_range(escapement::test::backends()))
#define ESC_EACH_BACKEND_AND_SIM() GENERATE(from_range(escapement::test::backends_and_sim()))
