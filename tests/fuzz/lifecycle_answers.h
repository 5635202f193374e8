// Takes apart the bytes that a client has received, by itself: no parser of the library is trusted with it.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace escapement::test {

struct AnswersRead {
  std::size_t answers = 0;  // whole ones; of 1xx only 101 counts
  bool whole = true;        // nothing was broken off
  std::string wrong;        // what no server may send; empty: nothing
};

// Answers to requests that had "X-Id: 0", "X-Id: 1", ... in this order; `heads` says which of them were HEAD.
// Bodies of a 200 are made of 'x'. A 101 counts, and what follows one that leads to "http" is answers again.
AnswersRead read_answers(std::string_view bytes, const std::vector<bool>& heads);

}  // namespace escapement::test
