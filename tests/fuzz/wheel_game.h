// Bytes as operations on timers: what the fuzz target plays, and wheel_replay_test.cpp everywhere else.
//
// Every input is a game; none is refused. It is read from its beginning, and ends with its last byte:
//
//     start      1 byte    where the clock begins: 0, the least and the greatest 64-bit instants among them
//     operation  1 byte    % 16, see WheelGame::operate; then the bytes that it needs
//     timer      1 byte    one of the first 16, or of those that bursts have made
//     moment     3 bytes   how it is meant, which power of two, and how far from that: see WheelGame::moment
//
// Bytes that are missing count as zero.

#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace escapement::test {

// Plays `input` on the wheel and on its model, and to the end what is left then. A sentence about how the two
// differed; empty when they did not.
std::string play_wheel(std::span<const std::uint8_t> input);

}  // namespace escapement::test
