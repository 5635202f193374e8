// The inputs that the fuzz target of WebSocket frames has kept, and random frames, read in both ways.

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

#include "fuzz/kept_inputs.h"
#include "fuzz/web_socket_game.h"

using namespace escapement;

TEST_CASE("frames: the inputs that fuzzing has kept") {
  const std::vector<test::KeptInput> corpus = test::web_socket_corpus();
  REQUIRE(corpus.size() > 50);
  for (const test::KeptInput& input : corpus) {
    CAPTURE(input.name);
    CHECK(test::play_web_socket(input.bytes) == "");
  }
}

TEST_CASE("frames: random ones, most of them nearly right, are read as by the second implementation") {
  Random random(17);
  for (int game = 0; game < 3'000; ++game) {
    std::vector<std::uint8_t> bytes = {static_cast<std::uint8_t>(random.up_to(255))};
    const bool masked = (bytes[0] & 1) == 0;
    for (std::uint64_t frames = random.up_to(6); frames > 0; --frames) {
      static constexpr std::uint8_t first[] = {0x81, 0x82, 0x01, 0x02, 0x00, 0x80,
                                               0x88, 0x89, 0x8a, 0xc1, 0x41, 0x83};
      bytes.push_back(random.one_in(20) ? static_cast<std::uint8_t>(random.next()) : first[random.up_to(11)]);
      const std::uint64_t length = random.one_in(8) ? random.up_to(400) : random.up_to(20);
      const std::uint8_t mask_bit = masked != random.one_in(40) ? 0x80 : 0;
      if (length < 126) {
        bytes.push_back(static_cast<std::uint8_t>(mask_bit | length));
      } else {
        bytes.insert(bytes.end(),
                     {static_cast<std::uint8_t>(mask_bit | 126), static_cast<std::uint8_t>(length >> 8),
                      static_cast<std::uint8_t>(length)});
      }
      for (int i = 0; mask_bit != 0 && i < 4; ++i)
        bytes.push_back(static_cast<std::uint8_t>(random.up_to(3)));
      for (std::uint64_t i = 0; i < length; ++i)
        bytes.push_back(static_cast<std::uint8_t>(random.one_in(60) ? random.next() : 'a' + random.up_to(3)));
    }
    CAPTURE(game);
    REQUIRE(test::play_web_socket(bytes) == "");
  }
}
