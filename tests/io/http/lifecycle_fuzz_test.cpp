// Random lives of a server, a client and their peers (fuzz/lifecycle_game.h): a short run of the same seeds
// each time, and those that were kept. A long one, from the command line:
//
//     ESC_LIFECYCLE_SEEDS=100000 ESC_LIFECYCLE_FIRST=1 build/asan/tests/io_test "[lifecycle]"
//
// It says on standard error which game it plays. To play one again: ESC_LIFECYCLE_SEEDS=1 and its seed as
// FIRST.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "fuzz/lifecycle_game.h"
#include "fuzz/lifecycle_seeds.h"

#include "support/backends.h"

using namespace escapement::test;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void play(const LifecycleKind& kind, std::uint64_t seed, bool says) {
  constexpr unsigned seconds_max = 200;
  if (says)
    std::fprintf(stderr, "\rlifecycle: %s%s, seed %llu ", kind.backend.c_str(), kind.tls ? ", TLS" : "",
                 static_cast<unsigned long long>(seed));
  ::alarm(seconds_max);  // a turn that never ends
  const std::string wrong = play_lifecycle(kind, seed);
  ::alarm(0);
  INFO(kind.backend << (kind.tls ? ", TLS" : ", TCP") << ", seed " << seed);
  CHECK(wrong == "");
}

}  // namespace

TEST_CASE("lifecycle fuzz: random lives of servers and clients", "[lifecycle]") {
  const std::string backend = ESC_EACH_BACKEND_AND_SIM();
  const bool tls = GENERATE(false, true);
  const LifecycleKind kind{backend, tls};
  const std::uint64_t first = from_environment("ESC_LIFECYCLE_FIRST", 1);
  const std::uint64_t count = from_environment("ESC_LIFECYCLE_SEEDS", 0);
  const std::uint64_t usual = backend != "sim" ? 4 : tls ? 15 : 60;
  for (std::uint64_t seed = first; seed < first + (count != 0 ? count : usual); ++seed)
    play(kind, seed, count != 0);
  if (count != 0) return;
  for (const std::uint64_t seed : lifecycle_seeds) play(kind, seed, false);
}
