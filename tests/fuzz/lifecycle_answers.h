// What a client has received, taken apart by itself: no parser of the library is trusted with it.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace escapement::test {

struct AnswersRead {
  std::size_t answers = 0;  // whole ones; 1xx do not count
  bool whole = true;        // nothing was broken off
  std::string wrong;        // what no server may send; empty: nothing
};

// Answers to requests that had "X-Id: 0", "X-Id: 1", ... in this order. Bodies of a 200 are made of 'x'.
AnswersRead read_answers(std::string_view bytes);

}  // namespace escapement::test
