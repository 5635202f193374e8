// Enumerates every small input of a test, without writing the nested loops.
//
//     Enumerate every;
//     while (every.next()) {
//       const std::size_t length = every.up_to(3);
//       std::vector<bool> flags;
//       for (std::size_t i = 0; i < length; ++i) flags.push_back(every.flip());
//       check(flags);                                          // 1 + 2 + 4 + 8 = 15 times
//     }
//
// The body asks for choices as it goes, and a later choice may depend on the earlier ones. Each round
// repeats the choices of the last one except the final choice that has a value left, which takes its next
// value; what follows it starts again from zero. So the rounds come in lexicographic order, each once.
// (The idea is that of TigerBeetle's exhaustigen.)

#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <escapement/core/detail/check.h>

namespace escapement::test {

class Enumerate {
 public:
  // Begins the next round. False when every combination has been seen.
  bool next() {
    if (!started_) {
      started_ = true;
      return true;
    }
    ESC_CHECK(position_ == choices_.size());  // a round that asked for less than the one it repeats
    while (!choices_.empty() && choices_.back().value == choices_.back().bound) choices_.pop_back();
    if (choices_.empty()) return false;
    ++choices_.back().value;
    position_ = 0;
    ++rounds_;
    return true;
  }

  // A choice from 0 to `bound`, both included.
  std::size_t up_to(std::size_t bound) {
    if (position_ == choices_.size()) choices_.push_back({0, bound});
    const Choice& choice = choices_[position_++];
    ESC_CHECK(choice.bound == bound);  // the same choices must lead to the same question
    return choice.value;
  }
  // A choice from `low` to `high`, both included.
  std::size_t between(std::size_t low, std::size_t high) { return low + up_to(high - low); }
  bool flip() { return up_to(1) == 1; }
  // One of the elements of a container that is not empty.
  template <class Container>
  auto& one_of(Container& from) {
    return from[up_to(from.size() - 1)];
  }

  // Rounds finished before this one.
  std::size_t rounds() const { return rounds_; }

  // The choices made in this round, for messages: "2 0 1".
  std::string describe() const {
    std::string text;
    for (std::size_t i = 0; i < position_; ++i) {
      if (i != 0) text += ' ';
      text += std::to_string(choices_[i].value);
    }
    return text;
  }

 private:
  struct Choice {
    std::size_t value;
    std::size_t bound;
  };

  std::vector<Choice> choices_;
  std::size_t position_ = 0;
  std::size_t rounds_ = 0;
  bool started_ = false;
};

}  // namespace escapement::test
