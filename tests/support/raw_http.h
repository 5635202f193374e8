// Helpers for tests that talk to the server by bytes, in simulated time.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>

namespace escapement::test {

// The status of each answer, in order: "200 404 ".
inline std::string statuses(std::string_view answers) {
  std::string found;
  constexpr std::string_view line = "HTTP/1.1 ";
  for (std::size_t at = answers.find(line); at != answers.npos; at = answers.find(line, at + 1)) {
    found += std::string(answers.substr(at + line.size(), 3)) + ' ';
  }
  return found;
}

// Returns the bytes that come within `length`; behind it " end" or " reset" where that came too.
inline std::string read_for(Sim& sim, Stream& stream, Duration length) {
  const auto read_into = [](Stream& stream, std::string& all) -> Task<> {
    std::vector<std::byte> room(4096);
    for (;;) {
      Result<std::size_t> count = co_await stream.read(room).result();
      if (!count || *count == 0) {
        all += count ? " end" : " reset";
        co_return;
      }
      all += as_text(Bytes(room).first(*count));
    }
  };
  std::string all;
  Scope reading(sim.reactor(), [](Error) {});
  reading.spawn(read_into(stream, all));
  sim.advance(length);
  return all;
}

}  // namespace escapement::test
