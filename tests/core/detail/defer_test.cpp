#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/detail/defer.h>

using namespace escapement;

TEST_CASE("Defer: called once, at the end of its block, the last made first") {
  std::vector<int> calls;
  {
    const Defer first([&calls] { calls.push_back(1); });
    const Defer second([&calls] { calls.push_back(2); });
    CHECK(calls.empty());
  }
  CHECK(calls == std::vector{2, 1});
}
