// The behaviour of the client's layers as test vectors: tests/vectors/behaviour.txt says itself how it is
// written. CMake puts the file into the test programs, so that it is there on every host.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escapement::test {

// One call: a stack, a request, how the peer responds, and what must come of it.
struct Vector {
  std::string id;        // "3.1 R13, GET"
  std::string stack;     // as stack_of takes it
  std::string request;   // "POST http://h/ +body Field: value"
  std::string peer;      // "500; 200"
  std::string expected;  // "0, 100 = 200"
};

// The text of the file.
std::string_view vectors_text();
// Its vectors, in order. Ends the program for a file that is malformed (checked).
std::vector<Vector> read_vectors(std::string_view text);
// Plays one in simulated time. Returns what is wrong with the outcome; empty if nothing is.
std::string play(const Vector& vector);

}  // namespace escapement::test
