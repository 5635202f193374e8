// The behaviour of the client, its layers and the server as test vectors: tests/vectors/behaviour.txt says
// itself how it is written. CMake puts the file into the test programs, so that it is there on every host.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escapement::test {

// One scenario: a stack, the calls that are made, how the peer responds, and what must come of it.
struct Vector {
  std::string id;           // "3.1 R13, GET"
  std::string stack;        // as stack_of takes it, and what is innermost
  std::string request;      // "POST http://h/ +body Field: value"
  std::string peer;         // "500; 200"
  std::string expected;     // "0, 100 = 200"
  std::string not_on_wasm;  // why no wasm host can show it; empty: all show it
};

// The text of the file.
std::string_view vectors_text();
// Returns whether this program runs on wasm, where some vectors are skipped.
bool on_wasm();
// Its vectors, in order. Ends the program for a file that is malformed (checked).
std::vector<Vector> read_vectors(std::string_view text);
// Plays one in simulated time. Returns what is wrong with the outcome; empty if nothing is.
std::string play(const Vector& vector);

}  // namespace escapement::test
