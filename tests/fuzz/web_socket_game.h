// Bytes as a peer's WebSocket frames: what the fuzz target plays, and frames_replay_test.cpp everywhere else.
//
// The first byte chooses the end that reads, whether compression was agreed on, the limit of a message, and
// how the rest, which is what the peer sends, is cut into pieces.

#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace escapement::test {

// Reads `input` at once, in pieces, and with an obvious second implementation. Returns a sentence about how
// they differ; empty when they do not.
std::string play_web_socket(std::span<const std::uint8_t> input);

}  // namespace escapement::test
