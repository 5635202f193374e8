// The fuzz target's game without a fuzzer, so that it is played in every configuration and on wasm.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

#include "fuzz/kept_inputs.h"
#include "fuzz/wheel_game.h"

using namespace escapement;
using namespace escapement::test;

TEST_CASE("TimerWheel: the inputs that the fuzzer kept") {
  const std::vector<KeptInput> corpus = wheel_corpus();
  REQUIRE(corpus.size() >= 20);
  for (const KeptInput& input : corpus) {
    CAPTURE(input.name);
    CHECK(play_wheel(input.bytes) == "");
  }
}

TEST_CASE("TimerWheel: games of random bytes") {
  const std::uint64_t seed = 20261125;
  CAPTURE(seed);
  Random random(seed);
  for (int game = 0; game < 200; ++game) {
    std::vector<std::uint8_t> bytes(random.up_to(250));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    CAPTURE(game);
    REQUIRE(play_wheel(bytes) == "");
  }
}
