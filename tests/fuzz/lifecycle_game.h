// The life of a server, a client and those who talk to them, drawn from one seed: what
// io/lifecycle_fuzz_test.cpp plays. Native builds with TLS only.
//
// Clients cut their requests anywhere, stop reading, end their direction, close, reset, or fall silent;
// handlers answer, sleep, stream, fail and throw; observers cancel; the server is shut down, cancelled or
// destroyed, and memory runs out, all at whatever instant comes. One game in four is calm: then every request
// must be answered.

#pragma once

#include <cstdint>
#include <string>

namespace escapement::test {

struct LifecycleKind {
  std::string backend;  // "epoll", "poll" or "sim"
  bool tls;
};

// Plays the game of this seed to its end. A sentence about what was wrong; empty when nothing was. What must
// never happen at all, such as a check that fails or a reactor that spins, ends the program.
std::string play_lifecycle(const LifecycleKind& kind, std::uint64_t seed);

}  // namespace escapement::test
