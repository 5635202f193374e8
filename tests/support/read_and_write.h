// Sends and receives in tests of streams.

#pragma once

#include <cstddef>
#include <string>

#include <escapement/core/task.h>
#include <escapement/io/stream.h>

namespace escapement::test {

// Bytes in which every position can be told from its neighbours.
std::string sample(std::size_t length);

MutableBytes as_room(std::string& text);

// Reads to the end.
Task<std::string> read_all(Stream& stream);

// Reads until `length` bytes are there.
Task<std::string> read_exactly(Stream& stream, std::size_t length);

// Reads to the end or a failure, whichever comes first; what came before.
Task<std::string> read_what_comes(Stream& stream);

// Writes in pieces of random sizes, then half-closes.
Task<> write_all(Stream& stream, const std::string& text);

}  // namespace escapement::test
